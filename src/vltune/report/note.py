"""The note below a table of results: what was measured, on what, with which intervals and controls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vltune.comparison.compare import Comparison
from vltune.pipeline import paths


def note(comparison: Comparison) -> str:
    """Explain the numbers of one task: images, seeds, interval, controls, projector."""
    first, settings = comparison.first, comparison.first.settings
    signature = first.result["signature"]
    sizes = sorted({method.result["projector_parameters"] for method in comparison.methods})
    projector = " or ".join(f"{size:,}" for size in sizes)
    starts = dict.fromkeys(start(method.result.get("projector")) for method in comparison.methods)
    questions = f" with {signature['questions']:,} questions" if "questions" in signature else ""
    several = any(method.seeds > 1 for method in comparison.methods)
    seeds = "Several seeds: their mean ± standard deviation. " if several else ""
    explained = (f"{first.spec.explained} {_ranked(comparison)}{exceptions(signature)}"
                 f"{_together(comparison)}")
    return (
        f"{signature['images']} test images{questions}; {100 * settings.confidence:g} % intervals of each "
        f"method alone: {_intervals(comparison)}. {seeds}{explained}Trained and share count the "
        f"decoder's parameters; the projector ({projector} parameters) is counted apart, and together "
        f"with it in 'with projector'.{''.join(starts)}"
    )


def _together(comparison: Comparison) -> str:
    """Name the methods that were trained on captions and questions together; empty if none was."""
    joint = [method.method for method in comparison.methods
             if method.training != method.task and method.method != paths.START]
    if not joint:
        return ""
    return (f"Trained on captions and questions together: {', '.join(joint)}; both tasks show the costs of "
            "the one training. ")


def _ranked(comparison: Comparison) -> str:
    """Say how the aligned start answers, if it is there: by ranking, and which part of the questions."""
    for method in comparison.methods:
        if method.method == paths.START and "question_types" in method.result:
            asked = sum(score["questions"] for score in method.result["question_types"].values())
            return (f"{paths.START} chooses the likeliest of the most frequent training answers, of "
                    f"{asked:,} questions; trained methods generate their answers. ")
    return ""


def _intervals(comparison: Comparison) -> str:
    """Explain the intervals of the methods, by their numbers of seeds."""
    settings, seeds = comparison.first.settings, {method.seeds for method in comparison.methods}
    samples = f"n={settings.bootstrap_samples}, seed {settings.seed}"
    single = f"percentile bootstrap over images ({samples}), about this trained model"
    explained = {
        single if len(seeds) == 1 else f"of a single run, {single}": {1},
        "Student's t over images, about these trained models": {2},
        "Student's t over images and seeds": seeds - {1, 2},
    }
    return "; ".join(text for text, numbers in explained.items() if numbers & seeds)


def start(projector: Mapping[str, Any] | None) -> str:
    """Say what the projector is, how it starts, and which texts it then knows already; empty if unknown."""
    if projector is None:
        return ""
    kinds = {"words": "that mixes words", "linear": "that is linear", "mlp": "that is an MLP"}
    what = kinds[projector["kind"]]
    texts = f"the training {projector['texts']}"
    if projector["start"] == "ridge":
        return f" Trainings start from a projector {what}, fitted to {texts} in closed form."
    words = f" with the words of {texts}" if projector["texts"] else ""
    return f" Trainings start from a projector {what}, drawn at random{words}."


def exceptions(signature: Mapping[str, Any]) -> str:
    """Say what is special about the test set: questions with one answer, images that were trained on."""
    sentences = [_clip(signature["clipscore"])] if "clipscore" in signature else []
    if single := signature.get("exact_match", 0):
        which = "Every question has" if single == signature["questions"] else f"{single:,} questions have"
        sentences.append(f"{which} a single answer: the accuracy is exact match after normalisation there. ")
    if shared := signature.get("shared_images", 0):
        sentences.append(
            f"{shared:,} of the {signature['images']:,} test images are training images too, with other "
            "texts: the score is not about unseen images. "
        )
    return "".join(sentences)


def _clip(made: Mapping[str, str]) -> str:
    """Say by which CLIP images were compared with captions, or why they were not."""
    if "not_computed" in made:
        return f"CLIPScore and RefCLIPScore are not computed: {made['not_computed']}. "
    return (f"CLIPScore and RefCLIPScore: Hessel et al. 2021, by {made['model']} of open_clip "
            f"{made['open_clip']}, weights {made['weights'][:16]}. ")
