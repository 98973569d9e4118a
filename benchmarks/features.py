"""Images a second through the encoder, against the limit that the machine's matrix products set, in the same
run.

Run: make bench. The limit is the time of the encoder's matrix products alone (linears, patch embedding,
attention), at the speed that torch reaches on one large product of the same precision. The target is 80 % of
it.
"""

import sys
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np
import torch
from table import Row, alternate, product_speed, render

from vltune.pipeline.params import load as section
from vltune.pipeline.paths import ENCODER
from vltune.preprocessing.encoder import Encoder, load
from vltune.preprocessing.settings import Preprocess

ROUNDS = 8


def operations(encoder: Encoder) -> float:
    """Count the floating-point operations of an image's matrix products, a multiplication and an addition as
    two."""
    vit, patches = encoder.vit, encoder.patches**2
    tokens = patches + vit.num_prefix_tokens
    linears = sum(
        2 * part.in_features * part.out_features * tokens
        for part in vit.blocks.modules()
        if isinstance(part, torch.nn.Linear)
    )
    attention = len(vit.blocks) * 4 * tokens * tokens * vit.embed_dim
    patch = 2 * vit.patch_embed.proj.weight.numel() * patches
    return linears + attention + patch


@torch.inference_mode()
def measure() -> list[Row]:
    """Alternate the two measurements, so that what else the machine does hits both."""
    p = section(Preprocess, "preprocess")
    encoder, signature = load(ENCODER, p)
    pixels = np.random.default_rng(0).integers(
        0, 256, (p.batch_size, 3, p.image_size, p.image_size), dtype=np.uint8
    )
    rows = p.batch_size * (encoder.patches**2 + encoder.vit.num_prefix_tokens)
    weight = encoder.vit.blocks[0].mlp.fc1.weight
    speeds = []

    def product() -> None:
        speeds.append(product_speed(rows, weight.shape[1], weight.shape[0], weight.dtype))

    seconds = alternate({"encoder": lambda: encoder.encode(pixels), "product": product}, ROUNDS, 1)
    speed = float(np.median(speeds[1:]))
    return [Row(
        f"features at {p.image_size} pixels, batches of {p.batch_size}, {signature['precision']}", "images/s",
        p.batch_size / seconds["encoder"], None,
        (f"products at {speed / 1e9:.0f} GFLOP/s", speed / operations(encoder)),
    )]


def main() -> None:
    """Print the measurement alone."""
    print(render(measure()))


if __name__ == "__main__":
    main()
