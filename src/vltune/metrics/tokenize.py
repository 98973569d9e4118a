"""Words as the COCO evaluation counts them: Penn Treebank tokens in lower case, without punctuation."""

from __future__ import annotations

from pathlib import Path

from pycocoevalcap.tokenizer import ptbtokenizer

from vltune.metrics import java
from vltune.pipeline.errors import InputError


def tokenize(texts: list[str]) -> list[str]:
    """Tokenise texts in one call of the tokeniser; the words of a text come back joined by single spaces.

    The jar, its options and the list of punctuation are pycocoevalcap's. Unlike its
    wrapper, this takes the text on standard input (the wrapper writes into the folder of
    the package), turns every kind of white space into a space, so that no line separator
    inside a caption can shift the later ones, and keeps a place for an empty text.

    Raises:
        InputError: Java does not work, or the tokeniser gave another number of lines than it got.

    Source: Chen et al. 2015, Microsoft COCO captions: data collection and evaluation server, section 3.1.
    """
    lines = [" ".join(text.split()) for text in texts]
    sent = [line for line in lines if line]
    if not sent:
        return ["" for _ in lines]
    jar = Path(ptbtokenizer.__file__).with_name(ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR)
    answer = java.run(
        ["-cp", jar.name, "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase"],
        jar.parent, "\n".join(sent) + "\n", timeout_s=120 + len(sent) / 100,
    )
    # Only "\n" ends a line here: str.splitlines would also split at separators that a token may hold.
    tokenized = answer.removesuffix("\n").split("\n")
    if len(tokenized) != len(sent):
        raise InputError(
            f"the tokeniser gave {len(tokenized)} lines for {len(sent)} captions; look for a caption with "
            "control characters"
        )
    rest = iter(tokenized)
    return [_words(next(rest)) if line else "" for line in lines]


def _words(line: str) -> str:
    return " ".join(word for word in line.split() if word not in ptbtokenizer.PUNCTUATIONS)
