"""The accuracy of an answer as the official VQAv2 evaluation computes it, with its quirks."""

from __future__ import annotations

import re
from functools import lru_cache

PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'  # neither apostrophe nor colon
# As published: the first look-ahead asks for the characters "<=" and a digit where the period stands, so it
# never fails, and a period goes unless a digit follows. Its flag re.UNICODE stands where `sub` takes a count:
# only so many periods go.
PERIOD, PERIODS = re.compile(r"(?!<=\d)(\.)(?!\d)", re.ASCII), int(re.UNICODE)
COMMA = re.compile(r"\d,\d", re.ASCII)  # the evaluation is Python 2, where \d is 0 to 9
NUMBERS = {
    word: str(i) for i, word in enumerate("zero one two three four five six seven eight nine ten".split())
} | {"none": "0"}
ARTICLES = ("a", "an", "the")
ENOUGH = 3  # people who say the same make an answer wholly right


def accuracy(answer: str, human_answers: list[str]) -> float:
    """Score an answer against those that people gave to the question, from 0 to 1.

    Each person is left out once; of the others, three who gave the model's answer make it right, one or two a
    third or two thirds; the accuracy is the mean. With ten people 0, 1, 2, 3 or more than 3 matches give 0,
    0.3, 0.6, 0.9 or 1. With two to nine people the same formula holds over those there are, so that fewer
    than four cannot give 1.

    With one person the formula would always give 0. The accuracy is then 1 if both answers are equal after
    normalisation, else 0; the official evaluation has no such case.

    Texts are normalised only if people's answers differ. If all are equal, neither theirs nor the model's is:
    white space at the ends is cut off and nothing else, so that "Yes" and "yes." do not match ten times
    "yes". (The authors say that this is on purpose, for questions about text in the image.)

    Source: Antol et al. 2015, VQA: visual question answering, section 3; Goyal et al. 2017 (VQAv2);
    GT-Vision-Lab/VQA, vqaEval.py at a013f00, reproduced from its published rules.
    """
    if len(human_answers) == 1:
        return float(normalized(_trimmed(answer)) == normalized(_trimmed(human_answers[0])))
    answer_text, others = _trimmed(answer), [_trimmed(text) for text in human_answers]
    if len(set(others)) > 1:
        answer_text, others = normalized(answer_text), [normalized(text) for text in others]
    people, matches = len(others), others.count(answer_text)
    # who gave this answer sees one match less among the others
    return (matches * min(1, (matches - 1) / ENOUGH) + (people - matches) * min(1, matches / ENOUGH)) / people


@lru_cache(maxsize=100_000)
def normalized(text: str) -> str:
    """Normalise an answer: punctuation, lower case, number words, articles, contractions, in this order.

    A mark of punctuation that stands beside a space somewhere in the text is removed, every mark if a comma
    stands between two digits, and else it becomes a space. A period goes unless a digit follows. "none"
    becomes 0 as "zero" does.

    Source: GT-Vision-Lab/VQA, vqaEval.py at a013f00, the
    rules of its processPunctuation and processDigitArticle.
    """
    result, commas = text, COMMA.search(text) is not None
    for mark in PUNCTUATION:
        alone = f"{mark} " in text or f" {mark}" in text or commas
        result = result.replace(mark, "" if alone else " ")
    words = (NUMBERS.get(word, word) for word in PERIOD.sub("", result, count=PERIODS).lower().split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def _trimmed(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


# Of a word with several apostrophes the evaluation knows each form that lacks one of them, and not that
# without any. It also lists words with a capital I, which cannot occur once a text is in lower case, and
# words that stay as they are.
WORDS = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd
he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't mightn't've must've mustn't
needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've
somebody'll somebody's someone'd someone'd've someone'll someone's something'd something'd've something'll
that's there'd there'd've there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've
we've weren't what'll what're what's what've when's where'd where's where've who'd who'd've who'll who's
who've why'll why're why's won't would've wouldn't wouldn't've y'all y'all'd've y'all'll you'd you'd've
you'll you're you've
""".split()


def _forms(word: str) -> list[str]:
    return [word[:i] + word[i + 1:] for i, letter in enumerate(word) if letter == "'"]


CONTRACTIONS = {form: word for word in WORDS for form in _forms(word)} | {
    "somebody'd": "somebodyd",  # so in the official file
}
