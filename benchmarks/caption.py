"""Captions by beam search, of vltune and of transformers: the same weights (LoRA added to them), the same
image tokens, the same search; and `vltune caption` as a whole, from image files to captions.

Run: make bench, after make repro. The target is three times the images of transformers.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import torch
from peer import language_model
from table import Row, alternate, render
from torch import Tensor

from vltune.commands import caption, images
from vltune.commands.inference import Base, Model
from vltune.commands.merge import merge
from vltune.data.features import Features
from vltune.model.loading import family_of
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline.params import load
from vltune.pipeline.paths import DECODER, FEATURES, RAW, checkpoint
from vltune.prediction import predict
from vltune.prediction.predict import Predict


def theirs(vlm: VisionLanguageModel, end: int, settings: Predict) -> Callable[[Tensor], list[list[int]]]:
    """Build the search of transformers on the weights of a merged model."""
    family = family_of(DECODER / "config.json")
    model = language_model(family.to_hugging_face(vlm.decoder.state_dict())).to(vlm.dtype).eval()

    @torch.inference_mode()
    def search(features: Tensor) -> list[list[int]]:
        rows = model.generate(
            inputs_embeds=vlm.embed_images(features), num_beams=settings.beams, do_sample=False,
            length_penalty=settings.length_penalty, max_new_tokens=settings.max_new_tokens,
            eos_token_id=end, pad_token_id=end,
        )
        return [[token for token in row if token != end] for row in rows.tolist()]

    return search


def search(method: str, seed: int, count: int, repeats: int) -> Row:
    """Alternate both searches on the features of the first test images."""
    settings, base = load(Predict, "predict"), Base(Path(), "auto")
    vlm = base.vlm(method, "caption", seed)
    merge(vlm, base, checkpoint(method, "caption", seed))
    features = Features(FEATURES, "test")
    batch = torch.from_numpy(features.take(features.ids[:count]))
    peer = theirs(vlm, base.tokenizer.end, settings)

    def ours() -> list[str]:
        return predict.caption(vlm, batch, base.tokenizer, settings.beams, settings.length_penalty,
                               settings.max_new_tokens)

    same = sum(a == base.tokenizer.decode(b) for a, b in zip(ours(), peer(batch), strict=True))
    seconds = alternate({"vltune": ours, "peer": lambda: peer(batch)}, repeats, 0)
    return Row(
        f"captions with {settings.beams} beams, {count} images ({same} captions are equal)", "images/s",
        count / seconds["vltune"], ("transformers", count / seconds["peer"]))


def whole(method: str, seed: int, count: int, repeats: int) -> Row:
    """Caption image files as the command does: reading, encoding and searching."""
    paths = images.find_images(RAW / "images/test")[:count]
    model = Model(Path(), method, "caption", seed, None)

    def run() -> None:
        for features, batch in model.encode(paths):
            caption.generate_captions(model, features, batch)

    return Row(f"vltune caption, {count} files, after start-up", "images/s",
               count / alternate({"all": run}, repeats, 1)["all"])


def measure(method: str = "lora", seed: int = 0, images: int = 100, repeats: int = 3) -> list[Row]:
    """Measure the search alone and the whole command."""
    return [search(method, seed, images, repeats), whole(method, seed, images, repeats)]


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", default="lora")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    print(render(measure(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
