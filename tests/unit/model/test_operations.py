"""Operations with a written backward pass: the values of the plain formula, and its gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F

from vltune.model.attention import attend_fused, rotation
from vltune.model.operations import PORTION, Attend, LowRankLinear, RmsNorm, Rotate, cross_entropy

B, T, H, G, E, D, R = 2, 5, 4, 2, 6, 8, 3


def tensors(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    rng = torch.Generator().manual_seed(0)
    drawn = [torch.randn(shape, generator=rng, dtype=torch.float64) for shape in shapes]
    return [tensor.to(dtype).requires_grad_() for tensor in drawn]


def causal(dtype: torch.dtype) -> Tensor:
    return torch.full((T, T), float("-inf"), dtype=dtype).triu(1).expand(B, 1, T, T)


def turned(x: Tensor) -> Tensor:
    half = E // 2
    angles = torch.arange(T)[:, None] * 10_000.0 ** (-torch.arange(0, E, 2) / E)  # [t, e/2]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def rope(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return rotation(torch.arange(T)[None], E, 10_000.0, dtype)


# name: the operation, its plain formula, and the shapes of what gets a gradient
CASES: dict[str, tuple[Callable, Callable, list[tuple[int, ...]]]] = {
    "rms_norm": (
        lambda x, w: RmsNorm.apply(x, w, 1e-5), lambda x, w: F.rms_norm(x, w.shape, w, 1e-5),
        [(B, T, D), (D,)],
    ),
    "rotate": (lambda x: Rotate.apply(x, *rope(x.dtype)), turned, [(B, H, T, E)]),
    "attend": (
        lambda q, k, v: Attend.apply(q, k, v, causal(q.dtype)),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, causal(q.dtype), enable_gqa=True),
        [(B, H, T, E), (B, G, T, E), (B, G, T, E)],
    ),
    "low_rank": (
        lambda x, a, b: LowRankLinear.apply(x, WEIGHT.to(x.dtype), BIAS.to(x.dtype), a, b, 0.5),
        lambda x, a, b: F.linear(x, WEIGHT.to(x.dtype), BIAS.to(x.dtype)) + 0.5 * x @ a.T @ b.T,
        [(B, T, D), (R, D), (D + 1, R)],
    ),
}
WEIGHT, BIAS = (tensor.detach() for tensor in tensors((D + 1, D), (D + 1,)))


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    operation, _, shapes = CASES[name]
    assert gradcheck(operation, tensors(*shapes), atol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 5e-2)])
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_the_plain_formula(
    name: str, dtype: torch.dtype, tolerance: float
) -> None:
    operation, formula, shapes = CASES[name]
    results = []
    for function in (operation, formula):
        inputs = tensors(*shapes, dtype=dtype)
        y = function(*inputs)
        assert y.dtype == dtype
        (y * torch.linspace(-1, 1, y.numel()).view(y.shape).to(dtype)).sum().backward()
        results.append([y.detach(), *(x.grad for x in inputs)])
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, atol=tolerance, rtol=tolerance)


def test_frozen_arguments_get_no_gradient() -> None:
    x, a, b = tensors((T, D), (R, D), (D + 1, R))
    weight = WEIGHT.clone().requires_grad_(False)
    LowRankLinear.apply(x.detach(), weight, None, a, b, 1.0).sum().backward()
    assert weight.grad is None
    assert a.grad is not None
    w = torch.ones(D, dtype=torch.float64)
    RmsNorm.apply(x, w, 1e-5).sum().backward()
    assert w.grad is None
    assert x.grad is not None


def test_the_form_for_fused_kernels_computes_the_same() -> None:
    """On a GPU keys and values are repeated for each head of their group."""
    q, k, v = tensors((B, H, T, E), (B, G, T, E), (B, G, T, E))
    given = torch.autograd.grad(attend_fused(q, k, v, causal(q.dtype)).square().sum(), (q, k, v))
    written = torch.autograd.grad(Attend.apply(q, k, v, causal(q.dtype)).square().sum(), (q, k, v))
    for first, second in zip(given, written, strict=True):
        torch.testing.assert_close(first, second)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 4 * PORTION, 33 * PORTION + 1])
def test_cross_entropy_has_the_bits_of_the_plain_formula(dtype: torch.dtype, rows: int) -> None:
    labels = torch.randint(0, 50, (rows,), generator=torch.Generator().manual_seed(1))
    results = []
    for function in (cross_entropy, lambda x, y: F.cross_entropy(x.float(), y, reduction="sum")):
        (logits,) = tensors((rows, 50), dtype=dtype)
        loss = function(logits, labels)
        (loss / 7).backward()
        results.append((loss, logits.grad))
    for ours, plain in zip(*results, strict=True):
        assert torch.equal(ours, plain)


def test_gradients_of_cross_entropy_are_those_of_finite_differences() -> None:
    labels = torch.arange(PORTION + 1) % 3
    assert gradcheck(lambda logits: cross_entropy(logits, labels), tensors((PORTION + 1, 3)))
