"""vltune caption: generate captions of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from vltune.commands import images, output
from vltune.commands.inference import Model
from vltune.pipeline.errors import InputError
from vltune.prediction.predict import caption


def main(
    image_or_folder: Path, out: Path | None, method: str, seed: int, beams: int | None, root: Path,
    picture: Path | None = None,
) -> None:
    """Caption an image or the images of a folder; write {name without extension: caption}.

    Images that cannot be read are reported and left out; the others are written. With `picture`, the
    attention on the image is drawn into it.

    Raises:
        InputError: the input is wrong, or (at the end) images were left out.
    """
    output.check_file(out)
    output.check_file(picture, ".png")
    if picture and image_or_folder.is_dir():
        raise InputError(f"{image_or_folder}: is a folder; expected one image with --attention")
    if picture and picture.exists() and image_or_folder.exists() and picture.samefile(image_or_folder):
        raise InputError(f"{picture}: is the image itself; expected another name with --attention")
    paths = images.find_images(image_or_folder)
    model = Model(root, method, "caption", seed, beams)
    captions: dict[str, str] = {}
    with output.written_at_end(captions, out), output.progress(len(paths), "image") as bar:
        for features, batch in model.encode(paths):
            captions |= generate_captions(model, features, batch)
            if picture:
                from vltune.commands import attention  # here: matplotlib takes a second, and few need it
                attention.draw_caption(picture, model, features[0], batch[0], captions[batch[0].stem])
            bar.update(len(batch))
    output.check_complete(len(paths) - len(captions), len(paths), image_or_folder)


def generate_captions(model: Model, features: Tensor, paths: Sequence[Path]) -> dict[str, str]:
    """Caption images given by their features [b, k, w], by their names without extension."""
    s = model.predict_settings
    texts = caption(model.vlm, features, model.tokenizer, s.beams, s.length_penalty, s.max_new_tokens)
    return {path.stem: text for path, text in zip(paths, texts, strict=True)}
