"""Images a second through the encoder, against the limit that the machine's matrix products set, in the same
run.

Run: make bench. The limit is the time of the encoder's matrix products alone (linears, patch embedding,
attention), at the speed that torch reaches on one large product of the same precision. The target is 60 % or
more of it.
"""

import sys
import time
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np
import torch

from vltune.pipeline.params import load as section
from vltune.pipeline.paths import ENCODER
from vltune.preprocessing.encoder import Encoder, load
from vltune.preprocessing.extract import Preprocess

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


def product_speed(encoder: Encoder, images: int) -> float:
    """Floating-point operations a second of the largest linear layer's product, on as many rows as a batch
    has."""
    rows = images * (encoder.patches**2 + encoder.vit.num_prefix_tokens)
    weight = encoder.vit.blocks[0].mlp.fc1.weight
    x = torch.randn(rows, weight.shape[1]).to(weight.dtype)
    start = time.perf_counter()
    for _ in range(10):
        torch.nn.functional.linear(x, weight)
    return 10 * 2 * rows * weight.numel() / (time.perf_counter() - start)


@torch.inference_mode()
def main() -> None:
    """Alternate the two measurements, so that what else the machine does hits both."""
    p = section(Preprocess, "preprocess")
    encoder, signature = load(ENCODER, p.image_size, p.grid, p.pooling, p.precision)
    pixels = np.random.default_rng(0).integers(
        0, 256, (p.batch_size, 3, p.image_size, p.image_size), dtype=np.uint8
    )
    encoder.encode(pixels)
    product_speed(encoder, p.batch_size)
    speeds, limits = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        encoder.encode(pixels)
        speeds.append(p.batch_size / (time.perf_counter() - start))
        limits.append(product_speed(encoder, p.batch_size) / operations(encoder))
    speed, limit = np.median(speeds), np.median(limits)
    print(
        f"features at {p.image_size} pixels, batches of {p.batch_size}, {signature['precision']}, "
        f"{torch.get_num_threads()} threads"
    )
    print(f"  encoder              {speed:.1f} images/s")
    print(f"  matrix-product limit {limit:.1f} images/s ({operations(encoder) / 1e9:.1f} GFLOP an image)")
    print(f"  share of the limit   {speed / limit:.0%}")


if __name__ == "__main__":
    main()
