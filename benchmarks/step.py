"""A LoRA training step of vltune against the same step with transformers + peft, and against the matrix
products of a step alone: same weights, tokens and precision.

Run: make bench. The targets are twice the steps of the peer, and two thirds of the limit.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import peft
import torch
from peer import language_model
from table import Row, alternate, product_speed, render

from vltune.data.batch import Text, collate
from vltune.methods import interface, lora
from vltune.model.decoder import DecoderConfig
from vltune.model.loading import load_decoder
from vltune.model.operations import cross_entropy
from vltune.model.precision import choose_dtype
from vltune.model.tensors import read_tensors
from vltune.model.vision_language import VisionLanguageModel
from vltune.model.word_projector import WordProjector
from vltune.pipeline.params import load
from vltune.pipeline.paths import DECODER
from vltune.training import optimizer as adamw

IMAGE_TOKENS, FEATURE_WIDTH, WORDS = 16, 768, 431


def batches(rows: int, words: int, vocabulary: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random features [b, k, w] and token ids [b, t]: what the steps take does not depend on them."""
    rng = torch.Generator().manual_seed(0)
    return (torch.randn(rows, IMAGE_TOKENS, FEATURE_WIDTH, generator=rng),
            torch.randint(0, vocabulary, (rows, words), generator=rng))


def ours(
    settings: lora.Lora, features: torch.Tensor, tokens: torch.Tensor, dtype: torch.dtype
) -> Callable[[], float]:
    """Build a step of vltune."""
    decoder = load_decoder(DECODER).to(dtype)
    names = interface.attach(decoder, settings, torch.Generator().manual_seed(0))
    vlm = VisionLanguageModel(
        WordProjector(FEATURE_WIDTH, WORDS, decoder.config.width, IMAGE_TOKENS, 0), decoder, dtype
    ).train()
    for parameter in vlm.projector.parameters():  # from zero, the loss would soon be no number
        torch.nn.init.normal_(parameter, std=0.02)
    trained = interface.trained_parameters(decoder, names)
    optimizer = adamw.build(trained, vlm.projector, 1e-3, 1e-3, 0.01)
    parameters = [*trained.values(), *vlm.projector.parameters()]
    batch = collate([[Text((), row)] for row in tokens.tolist()], IMAGE_TOKENS)

    def step() -> float:
        logits = vlm(features, batch.tokens, batch.positions, batch.mask, batch.sources)
        loss = cross_entropy(logits, batch.labels) / len(batch.labels)
        return advance(loss, parameters, optimizer)

    return step


def theirs(
    settings: lora.Lora, features: torch.Tensor, tokens: torch.Tensor, dtype: torch.dtype
) -> Callable[[], float]:
    """Build the same step of transformers + peft, under autocast, with a linear projector of the same
    size."""
    model = language_model(read_tensors(DECODER / "model.safetensors"))
    width = model.config.hidden_size
    targets = [f"{site}_proj" for site in settings.targets]
    model = peft.get_peft_model(
        model,
        peft.LoraConfig(
            r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=targets
        ),
    ).train()
    projector = torch.nn.Sequential(
        torch.nn.LayerNorm(FEATURE_WIDTH), torch.nn.Linear(FEATURE_WIDTH, width)
    )
    parameters = [*(p for p in model.parameters() if p.requires_grad), *projector.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3)
    labels = torch.cat((torch.full(features.shape[:2], -100), tokens), dim=1)

    def step() -> float:
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            x = torch.cat((projector(features), model.get_input_embeddings()(tokens)), dim=1)
            loss = model(inputs_embeds=x, labels=labels).loss
        return advance(loss, parameters, optimizer)

    return step


def advance(loss: torch.Tensor, parameters: list[torch.Tensor], optimizer: torch.optim.Optimizer) -> float:
    """Do what follows the forward pass, the same for both."""
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def operations(config: DecoderConfig, rows: int, words: int) -> float:
    """Count the floating-point operations of a step's products with frozen weights: forward, and the gradient
    of their inputs; the vocabulary is scored for text tokens only.

    What depends on the rank, attention and the projector are left out: they are less than 3 % of it.
    """
    linears = config.layers * sum(inputs * outputs for inputs, outputs in config.linears.values())
    table = config.vocabulary * config.width
    return 2 * 2 * rows * ((IMAGE_TOKENS + words) * linears + words * table)


def measure(rows: int = 16, words: int = 12, repeats: int = 12, precision: str = "auto") -> list[Row]:
    """Alternate the two steps and the product, after two of each that warm up."""
    dtype = choose_dtype(precision, torch.device("cpu"))
    settings, config = load(lora.Lora, "lora"), load_decoder(DECODER).config
    features, tokens = batches(rows, words, config.vocabulary)
    seconds = alternate({"vltune": ours(settings, features, tokens, dtype),
                         "peer": theirs(settings, features, tokens, dtype)}, repeats, 2)
    speed = product_speed(rows * (IMAGE_TOKENS + words), config.width, config.mlp_width, dtype)
    limit = speed / operations(config, rows, words)
    return [Row(
        f"LoRA step, {rows} x ({IMAGE_TOKENS} image + {words} text) tokens, {dtype}",
        "steps/s", 1 / seconds["vltune"], ("transformers + peft", 1 / seconds["peer"]),
        (f"products at {speed / 1e9:.0f} GFLOP/s", limit),
    )]


def main() -> None:
    """Measure at the sizes of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--words", type=int, default=12, help="text tokens of a row, after 16 image tokens")
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--precision", default="auto", choices=("auto", "bf16", "float32"))
    print(render(measure(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
