"""vltune caption: generate captions of images."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from vltune.commands import images, output
from vltune.commands.inference import Model
from vltune.data.tokenizer import Tokenizer
from vltune.pipeline.errors import InputError
from vltune.pipeline.paths import DECODER
from vltune.prediction.predict import caption


def main(
    image_or_folder: Path, out: Path | None, method: str, seed: int, beams: int | None, root: Path,
    picture: Path | None = None, weights: Path | None = None,
) -> None:
    """Caption an image or the images of a folder; write {name without extension: caption}.

    Images that cannot be read are reported and left out; the others are written. With `picture`, the
    attention on the image is drawn into it. `weights` is a decoder_model.bin of the course NTU DLCV, which
    takes the place of data/base/decoder: its weights must be those that the run was trained on.

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
    with course_decoder(weights, root) as decoder:
        model = Model(root, method, "caption", seed, beams, decoder)
    captions: dict[str, str] = {}
    with output.written_at_end(captions, out), output.progress(len(paths), "image") as bar:
        for features, batch in model.encode(paths):
            captions |= generate_captions(model, features, batch)
            if picture:
                from vltune.commands import attention  # here: matplotlib takes a second, and few need it
                attention.draw_caption(picture, model, features[0], batch[0], captions[batch[0].stem])
            bar.update(len(batch))
    output.check_complete(len(paths) - len(captions), len(paths), image_or_folder)


@contextmanager
def course_decoder(weights: Path | None, root: Path) -> Iterator[Path | None]:
    """Yield a folder with the decoder of a decoder_model.bin, and the tokenizer of the repository's; it is
    removed when the block ends. None stays None.

    Raises:
        InputError: the file holds no weights of GPT-2, or the repository has no tokenizer.
    """
    if weights is None:
        yield None
        return
    from vltune.sources.course import write_weights  # here: few need it
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_weights(weights, folder, Tokenizer(root / DECODER).end)
        shutil.copyfile(root / DECODER / "tokenizer.json", folder / "tokenizer.json")
        yield folder


def generate_captions(model: Model, features: Tensor, paths: Sequence[Path]) -> dict[str, str]:
    """Caption images given by their features [b, k, w], by their names without extension."""
    s = model.predict_settings
    texts = caption(model.vlm, features, model.tokenizer, s.beams, s.length_penalty, s.max_new_tokens)
    return {path.stem: text for path, text in zip(paths, texts, strict=True)}
