"""From a checkpoint to captions: load it onto its base, and decode the images of a split."""

from __future__ import annotations

import torch
from tqdm import tqdm

from vltune.data.features import Features
from vltune.data.tokens import Tokenizer
from vltune.layout import DECODER, FEATURES, RAW
from vltune.layout import checkpoint as checkpoint_folder
from vltune.layout import predictions as predictions_file
from vltune.model.captioner import Captioner
from vltune.model.generate import generate
from vltune.model.precision import choose_device, choose_dtype, deterministic
from vltune.records import Prediction, read_captions, write_predictions
from vltune.sections import Predict
from vltune.training import checkpoint


def predict(method: str, task: str, seed: int, settings: Predict) -> None:
    """Caption the test images with one run's checkpoint; write data/predictions/."""
    deterministic()
    device = choose_device()
    features = Features(FEATURES, "test")
    captioner = checkpoint.load(checkpoint_folder(method, task, seed), DECODER, checkpoint.base_of(DECODER, features.signature),
                                choose_dtype(settings.precision, device)).to(device)
    captions = read_captions(RAW / "captions_test.json")
    references = captions.by_image()
    images = [image for image in captions.images if image.id in features.row]
    said: list[str] = []
    tokenizer = Tokenizer(DECODER)
    for start in tqdm(range(0, len(images), settings.batch_size), f"{method} {task} seed {seed}", unit="batch"):
        ids = [image.id for image in images[start:start + settings.batch_size]]
        said += caption(captioner, torch.from_numpy(features.take(ids)).to(device), tokenizer, settings.beams,
                        settings.length_penalty, settings.max_new_tokens)
    write_predictions(predictions_file(method, task, seed), [
        Prediction(image.id, image.file_name, text, references[image.id]) for image, text in zip(images, said, strict=True)])


@torch.inference_mode()
def caption(
    captioner: Captioner, features: torch.Tensor, tokenizer: Tokenizer, beams: int, length_penalty: float, max_new_tokens: int
) -> list[str]:
    """Caption images given by their features [b, k, w]."""
    x = captioner.embed_images(features)
    valid = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    found = generate(captioner.decoder, x, valid, tokenizer.end, beams, length_penalty, max_new_tokens)
    return [tokenizer.decode(ids) for ids in found]
