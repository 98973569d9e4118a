"""Texts that share an image's tokens are scored as if each stood alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vltune.data.batch import Text, attention_mask, collate
from vltune.methods import checkpoint


def test_the_example_of_the_docstring() -> None:
    batch = collate([[Text((), [10, 99]), Text((), [11, 12, 99])]], 2)
    assert batch.tokens.tolist() == [[10, 99, 11, 12, 99]]
    assert batch.positions.tolist() == [[0, 1, 2, 3, 2, 3, 4]]
    assert batch.sources.tolist() == [1, 2, 1, 4, 5]
    assert batch.labels.tolist() == [10, 99, 11, 12, 99]


def test_a_prompt_is_given_and_not_learnt() -> None:
    batch = collate([[Text([7, 8], [10, 99])]], 2)
    assert batch.tokens.tolist() == [[7, 8, 10, 99]]
    assert batch.sources.tolist() == [3, 4]
    assert batch.labels.tolist() == [10, 99]


def test_the_mask_keeps_texts_apart() -> None:
    mask = attention_mask(torch.tensor([[0, 1, 1, 2, -1]]))[0, 0]
    assert mask.int().tolist() == [
        [1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 0, 0, 1, 0], [0, 0, 0, 0, 1],
    ]


@pytest.mark.parametrize("tasks", [(0, 0, 0), (0, 1, 0)])
def test_together_equals_alone(tiny: Path, tasks: tuple[int, ...]) -> None:
    """Whether the texts are of one task, or captions and a question: those of captions come first then."""
    vlm = checkpoint.build(tiny / "decoder", 3, 8, 5, 2, torch.float32).eval()
    torch.manual_seed(0)
    vlm.projector.word_head.weight.data.normal_()
    vlm.projector.tag_head.weight.data.normal_()
    vlm.projector.words.weight.data.normal_()
    features = torch.randn(2, 3, 8)
    texts = [[Text((), [10, 11, 2], tasks[0]), Text([40], [50, 2], tasks[1])], [Text((), [9, 2], tasks[2])]]
    with torch.no_grad():
        batch = collate(texts, vlm.image_tokens)
        together = vlm(features, batch.tokens, batch.positions, batch.mask, batch.sources)
        alone = []
        for task in sorted(set(tasks)):
            for i, text in [(i, text) for i, row in enumerate(texts) for text in row if text.task == task]:
                one = collate([[text]], vlm.image_tokens)
                alone.append(vlm(features[i:i + 1], one.tokens, one.positions, one.mask, one.sources))
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-5)
