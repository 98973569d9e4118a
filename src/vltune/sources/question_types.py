"""The types that VQAv2 gives to questions and answers, for data sets that give none."""

from __future__ import annotations

from vltune.pipeline.questions import ANSWER_TYPES

YES_NO, NUMBER, OTHER = ANSWER_TYPES


def question_type(question: str) -> str:
    """Give the first two words of a question, in lower case: "what is", "how many".

    Source: Antol et al. 2015, VQA: visual question answering, section 4 (types are the first words).
    """
    return " ".join(question.lower().rstrip("?").split()[:2]) or question


def answer_type(answer: str) -> str:
    """Give yes/no for yes and no, number for a whole number, other for the rest."""
    text = answer.strip().lower()
    if text in ("yes", "no"):
        return YES_NO
    return NUMBER if text.isdecimal() else OTHER
