"""vltune forget: what a run has forgotten of the base's language, on texts of the base or of the user."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vltune.commands import output
from vltune.commands.inference import Base
from vltune.data.batch import Text
from vltune.data.tokenizer import Tokenizer
from vltune.metrics import bootstrap
from vltune.metrics.bootstrap import Evaluate
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import load
from vltune.prediction.forgetting import Costs, base_texts, divergence
from vltune.prediction.predict import Predict

PORTION = 128  # tokens of a file that are one text; each portion is read by itself


def main(text: Path | None, out: Path | None, method: str, task: str, seed: int, root: Path) -> None:
    """Write the mean divergence with its interval, the number of texts and of tokens, as JSON.

    Raises:
        InputError: there is no such run, or the file is no text of two portions or more.
    """
    params = root / "params.yaml"
    base = Base(root, load(Predict, "predict", params).precision)
    own = None if text is None else portions(text, base.tokenizer)
    texts = own or base_texts(base.decoder, base.tokenizer, load(Costs, "costs", params), base.dtype)
    vlm = base.vlm(method, task, seed)
    values = divergence(vlm.decoder, base.decoder, texts, base.dtype)
    output.emit({
        "method": method, "task": task, "seed": seed, "written_by": "the base" if text is None else str(text),
        "texts": len(values), "tokens": sum(map(len, values)),
        **over_texts(values, load(Evaluate, "evaluate", params)),
    }, out)


def portions(path: Path, tokenizer: Tokenizer) -> list[Text]:
    """Cut a text file into portions of PORTION tokens; in each, all tokens but the first are predicted.

    Raises:
        InputError: it is missing or not UTF-8, or too short for an interval over portions.
    """
    try:
        ids = tokenizer.encode(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"--text {path}: no such file") from None
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise InputError(f"--text {path}: expected a text file in UTF-8: {error}") from None
    cut = [ids[start:start + PORTION] for start in range(0, len(ids), PORTION)]
    texts = [Text(portion[:1], portion[1:]) for portion in cut if len(portion) > 1]
    if len(texts) < 2:
        raise InputError(f"--text {path}: expected more than {PORTION + 1} tokens, as the interval is over "
                         f"portions of {PORTION}; found {len(ids)}; give a longer text")
    return texts


def over_texts(values: list[list[float]], settings: Evaluate) -> dict[str, float]:
    """Give the mean over the tokens of all texts, and its interval over texts: nats_per_token, low, high."""
    totals, sizes = np.array([sum(own) for own in values]), np.array([len(own) for own in values])
    counts = bootstrap.draws(len(values), settings.bootstrap_samples, settings.seed)
    samples = bootstrap.ratios(counts, totals, sizes)
    row = bootstrap.row(totals.sum() / sizes.sum(), samples, settings.confidence)
    return {"nats_per_token": row["value"], "low": row["low"], "high": row["high"]}
