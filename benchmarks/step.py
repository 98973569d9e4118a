"""A LoRA training step of vltune against the same step with transformers + peft: same weights, tokens and
precision.

Run: make bench. Prints the medians of alternating steps and their ratio; the target is at most 0.7.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np
import peft
import torch
import transformers
from torch.nn import functional as F

from vltune.data.batch import Text, collate
from vltune.methods import interface, lora
from vltune.model.loading import load_decoder
from vltune.model.precision import choose_dtype
from vltune.model.projector import Projector
from vltune.model.tensors import read_tensors
from vltune.model.vision_language import VisionLanguageModel
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
    settings: lora.Config, features: torch.Tensor, tokens: torch.Tensor, dtype: torch.dtype
) -> Callable[[], float]:
    """Build a step of vltune."""
    decoder = load_decoder(DECODER).to(dtype)
    names = interface.attach(decoder, settings, torch.Generator().manual_seed(0))
    vlm = VisionLanguageModel(
        Projector(FEATURE_WIDTH, WORDS, decoder.config.width, IMAGE_TOKENS, 0), decoder, dtype
    ).train()
    trained = interface.trained_parameters(decoder, names)
    optimizer = adamw.build(trained, vlm.projector, 1e-3, 1e-3, 0.01)
    parameters = [*trained.values(), *vlm.projector.parameters()]
    batch = collate([[Text((), row)] for row in tokens.tolist()], IMAGE_TOKENS)

    def step() -> float:
        logits = vlm(features, batch.tokens, batch.positions, batch.mask, batch.sources)
        loss = F.cross_entropy(logits.float(), batch.labels)
        return advance(loss, parameters, optimizer)

    return step


def theirs(
    settings: lora.Config, features: torch.Tensor, tokens: torch.Tensor, dtype: torch.dtype
) -> Callable[[], float]:
    """Build the same step of transformers + peft, under autocast, with a linear projector of the same
    size."""
    with tempfile.TemporaryDirectory() as folder:
        configuration = transformers.AutoConfig.from_pretrained(DECODER)
        configuration.save_pretrained(folder)
        model = transformers.AutoModelForCausalLM.from_config(configuration)
        model.load_state_dict(read_tensors(DECODER / "model.safetensors"), strict=False)
    targets = [f"{site}_proj" for site in settings.targets]
    model = peft.get_peft_model(
        model.float(),
        peft.LoraConfig(
            r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=targets
        ),
    ).train()
    projector = torch.nn.Sequential(
        torch.nn.LayerNorm(FEATURE_WIDTH), torch.nn.Linear(FEATURE_WIDTH, configuration.hidden_size)
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


def main() -> None:
    """Alternate the two steps, so that what else the machine does hits both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--words", type=int, default=12, help="text tokens of a row, after 16 image tokens")
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--precision", default="auto", choices=("auto", "bf16", "float32"))
    arguments = parser.parse_args()
    dtype = choose_dtype(arguments.precision, torch.device("cpu"))
    settings = load(lora.Config, "lora")
    vocabulary = load_decoder(DECODER).config.vocabulary
    features, tokens = batches(arguments.rows, arguments.words, vocabulary)
    steps = {
        "vltune": ours(settings, features, tokens, dtype),
        "transformers + peft": theirs(settings, features, tokens, dtype),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(arguments.repeats + 2):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    # the first two warm up
    medians = {name: statistics.median(values[2:]) for name, values in seconds.items()}
    print(
        f"LoRA step, {arguments.rows} x ({IMAGE_TOKENS} image + {arguments.words} text) tokens, {dtype}, "
        f"{torch.get_num_threads()} threads"
    )
    for name, median in medians.items():
        print(f"  {name:20} {median:.3f} s (fastest {np.min(seconds[name]):.3f})")
    print(f"  ratio                {medians['vltune'] / medians['transformers + peft']:.2f}")


if __name__ == "__main__":
    main()
