"""vltune caption: say what images show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from vltune.commands import images, output
from vltune.commands.inference import Model
from vltune.prediction.predict import caption


def main(place: Path, out: Path | None, method: str, seed: int, beams: int | None, root: Path) -> None:
    """Caption an image or the images of a folder; write {name without extension: caption}.

    Images that cannot be read are reported and left out; the others are written.

    Raises:
        InputError: the input is wrong, or (at the end) images were left out.
    """
    output.check_file(out)
    paths = images.of(place)
    model = Model(root, method, "caption", seed, beams)
    captions: dict[str, str] = {}
    with output.kept(captions, out), output.progress(len(paths), "image") as bar:
        for features, batch in model.see(paths):
            captions |= say(model, features, batch)
            bar.update(len(batch))
    output.all_read(len(paths) - len(captions), len(paths), place)


def say(model: Model, features: Tensor, paths: Sequence[Path]) -> dict[str, str]:
    """Caption images given by their features, by their names without extension."""
    s = model.predict
    said = caption(model.vlm, features, model.tokenizer, s.beams, s.length_penalty, s.max_new_tokens)
    return {path.stem: text for path, text in zip(paths, said, strict=True)}
