"""ONNX optimisers: one step of each, for every tensor that it trains."""

from __future__ import annotations

from ttc.errors import Refusal
from ttc.frontend.onnx.attributes import check_word
from ttc.frontend.onnx.elementwise import scaled, shifted
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.table import onnx_op
from ttc.ir import DType
from ttc.ops.expr import Expr, sqrt, where

DOMAIN = "ai.onnx.preview.training"


def _groups(xs: tuple[Expr, ...], kinds: int) -> list[tuple[Expr, ...]]:
    """Group operands that come as all of one kind, then all of the next, into one tuple for each tensor."""
    count = len(xs) // kinds
    if count * kinds != len(xs) or not count:
        raise Refusal(f"takes {kinds} operands for each tensor, got {len(xs)} in all")
    return [xs[i::count] for i in range(count)]


def _regular(x: Expr, gradient: Expr, factor: float) -> Expr:
    """Add the gradient of the squared norm of x to the gradient."""
    return scaled(x, factor) + gradient if factor else gradient


def _after_first(t: Expr, later: Expr, first: Expr) -> Expr:
    return where(t > 0, later, first)


def _in_order(results: list[tuple[Expr, ...]]) -> list[Expr]:
    return [item for kind in zip(*results, strict=True) for item in kind]


@onnx_op(domain=DOMAIN)
def Momentum(b: Emitter, r: Expr, t: Expr, *xs: Expr, alpha, beta, mode, norm_coefficient) -> list[Expr]:
    """Compute v = alpha v + beta g (beta is 1 in the first step); x -= r v, or r (g + alpha v) as Nesterov has it."""
    check_word("mode", mode, "standard", "nesterov")
    results = []
    for x, gradient, v in _groups(xs, 3):
        g = _regular(x, gradient, norm_coefficient)
        weight = _after_first(t, x.number(beta), x.number(1.0))
        v = scaled(v, alpha) + g * weight
        move = v if mode == "standard" else g + scaled(v, alpha)
        results.append((x - move * r, v))
    return _in_order(results)


@onnx_op(domain=DOMAIN)
def Adagrad(
    b: Emitter, r: Expr, t: Expr, *xs: Expr, decay_factor=0.0, epsilon=1e-6, norm_coefficient=0.0
) -> list[Expr]:
    """Compute h += g g; x -= r / (1 + t decay) g / (sqrt(h) + epsilon) (Duchi et al. 2011)."""
    results = []
    for x, gradient, h in _groups(xs, 3):
        g = _regular(x, gradient, norm_coefficient)
        rate = r / shifted(scaled(t.cast(r.dtype), decay_factor), 1.0)
        h = h + g * g
        move = g * rate / shifted(sqrt(h), epsilon)
        results.append((x - move, h))
    return _in_order(results)


@onnx_op(domain=DOMAIN)
def Adam(
    b: Emitter, r: Expr, t: Expr, *xs: Expr, alpha=0.9, beta=0.999, epsilon=1e-6, norm_coefficient=0.0,
    norm_coefficient_post=0.0,
) -> list[Expr]:  # fmt: skip
    """Compute one step with two decaying moments; their bias is corrected after the first step (Kingma & Ba 2015)."""
    steps = t.cast(DType.f32)
    second = sqrt(_rest(beta, steps))
    rate = _after_first(t, r * (second / _rest(alpha, steps)), r)
    results = []
    for x, gradient, v, h in _groups(xs, 4):
        g = _regular(x, gradient, norm_coefficient)
        v = scaled(v, alpha) + scaled(g, 1 - alpha)
        h = scaled(h, beta) + scaled(g * g, 1 - beta)
        move = v * rate / shifted(sqrt(h), epsilon)
        results.append((scaled(x - move, 1 - norm_coefficient_post), v, h))
    return _in_order(results)


def _rest(base: float, steps: Expr) -> Expr:
    """Compute 1 - base^steps."""
    return 1.0 - base**steps
