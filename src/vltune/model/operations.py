"""Operations of a layer whose backward pass is written out, because automatic differentiation of their parts
takes many small kernels: a training step of short texts spends more time on starting those than on products.

Each computes what its plain formula computes, to rounding, and has its gradients (tests compare both, and the
gradients with finite differences). Frozen arguments get no gradient.

Shapes: b batch, t tokens, s keys, h query heads, g key/value heads, e head width, d width, r rank.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

PORTION = 4  # rows of logits that are normalised together: their float32 copies stay in the processor's cache


class RmsNorm(Function):
    """x / sqrt(mean(x ** 2) + epsilon) * weight, computed in float32.

    Source: Zhang and Sennrich 2019, equation 4.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        """Normalise x [..., d] with weight [d], both in the same precision."""
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        inverse = exact.square().mean(-1, keepdim=True).add_(epsilon).rsqrt_()  # [..., 1]
        ctx.save_for_backward(x, weight, inverse)
        return (exact * inverse).to(x.dtype) * weight

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Give the gradients of x and, if it is trained, of the weight."""
        x, weight, inverse = ctx.saved_tensors
        normed = x.to(inverse.dtype) * inverse
        of_weight = None
        if ctx.needs_input_grad[1]:
            of_weight = (gradient * normed).flatten(0, -2).sum(0).to(weight.dtype)
        scaled = (gradient * weight).to(inverse.dtype)
        along = (scaled * normed).mean(-1, keepdim=True)
        return scaled.addcmul_(normed, along, value=-1).mul_(inverse).to(x.dtype), of_weight, None


class Rotate(Function):
    """Rotary positions: x * cos + swapped(x) * sin; see `attention.rotation` for the signs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Rotate x [b, h, t, e] by cosines and sines [b, 1, t, e]."""
        ctx.save_for_backward(cos, sin)
        return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, dims=-1), sin)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Rotate back: the inverse of a rotation is its transpose."""
        cos, sin = ctx.saved_tensors
        swapped = gradient.roll(gradient.shape[-1] // 2, dims=-1)
        return torch.addcmul(gradient * cos, swapped, sin, value=-1), None, None


class Attend(Function):
    """softmax(q k^T / sqrt(e) + bias) v, with grouped keys and values.

    Source: Vaswani et al. 2017, equation 1; Ainslie et al. 2023 (GQA).
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        """Weigh values: q [b, h, t, e], k and v [b, g, s, e], bias [b, 1, t, s]; gives [b, h, t, e]."""
        b, h, t, e = q.shape
        g = k.shape[1]
        stacked = (q * e**-0.5).reshape(b, g, h // g * t, e)  # the heads of a group, one below the other
        scores = (stacked @ k.transpose(-1, -2)).view(b, g, h // g, t, -1)
        weights = scores.add_(bias[:, :, None]).softmax(-1).view(b, g, h // g * t, -1)
        ctx.save_for_backward(stacked, k, v, weights)
        return (weights @ v).view(b, h, t, e)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Give the gradients of q, k and v."""
        stacked, k, v, weights = ctx.saved_tensors
        shape = gradient.shape
        gradient = gradient.reshape(stacked.shape)
        of_v = weights.transpose(-1, -2) @ gradient
        of_weights = gradient @ v.transpose(-1, -2)
        of_scores = torch._softmax_backward_data(of_weights, weights, -1, weights.dtype)
        of_q = (of_scores @ k).mul_(shape[-1] ** -0.5).view(shape)
        return of_q, of_scores.transpose(-1, -2) @ stacked, of_v, None


class LowRankLinear(Function):
    """x W^T + bias + scale (x A^T) B^T with W and bias frozen.

    Source: Hu et al. 2021, LoRA, equation 3.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float
    ) -> Tensor:
        """Map x [..., in] to [..., out]; weight [out, in] in the precision of x, a [r, in], b [out, r]."""
        rows, ctx.kept = x.reshape(-1, x.shape[-1]), a.dtype
        a, b = a.to(x.dtype), (scale * b).to(x.dtype)
        low = rows @ a.t()  # [n, r]
        y = rows @ weight.t() if bias is None else torch.addmm(bias, rows, weight.t())
        ctx.save_for_backward(rows, weight, a, b, low)
        ctx.scale = scale
        return y.addmm_(low, b.t()).view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Give the gradients of x, a and b."""
        rows, weight, a, b, low = ctx.saved_tensors
        shape = gradient.shape
        gradient = gradient.reshape(-1, shape[-1])
        of_low = gradient @ b
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = (gradient @ weight).addmm_(of_low, a).view(*shape[:-1], -1)
        of_a = (of_low.t() @ rows).to(ctx.kept)
        of_b = (low.t() @ gradient).t()  # takes half the time of gradient.t() @ low
        of_b = of_b.to(ctx.kept, memory_format=torch.contiguous_format).mul_(ctx.scale)
        return of_x, None, None, of_a, of_b, None


class CrossEntropy(Function):
    """Sum over rows of logsumexp(logits) - logits[label], in float32.

    The vocabulary is large, so float32 copies of all logits take longer to write than to compute: each pass
    takes a few rows at a time, and the backward pass normalises them again.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        """Sum up the losses of logits [n, v] and labels, int64 [n]."""
        ctx.save_for_backward(logits, labels)
        chosen = [
            _log_softmax(part).gather(1, own[:, None])
            for part, own in zip(logits.split(PORTION), labels.split(PORTION), strict=True)]
        # torch's sum of losses, whose order of additions a plain sum does not have
        return F.nll_loss(torch.cat(chosen), torch.zeros_like(labels), reduction="sum")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Give the gradient of the logits, softmax - one-hot, in their precision."""
        logits, labels = ctx.saved_tensors
        of_logits = torch.empty_like(logits)
        for target, part, own in zip(
                of_logits.split(PORTION), logits.split(PORTION), labels.split(PORTION), strict=True):
            scores = _log_softmax(part)
            of_scores = torch.zeros_like(scores).scatter_(1, own[:, None], (-gradient).expand(len(own), 1))
            target.copy_(torch._log_softmax_backward_data(of_scores, scores, 1, scores.dtype))
        return of_logits, None


def _log_softmax(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(1)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Sum up the cross-entropies of logits [n, v] and labels, int64 [n], in float32."""
    if logits.device.type == "cpu":
        return CrossEntropy.apply(logits, labels)
    return F.cross_entropy(logits.float(), labels, reduction="sum")  # a kernel of its own on a GPU
