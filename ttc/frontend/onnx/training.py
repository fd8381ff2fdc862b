"""ONNX optimisers: one step of each, for every tensor that it trains."""

from __future__ import annotations

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.elementwise import scaled, shifted
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.table import onnx_op
from ttc.ir import DType, Value

DOMAIN = "ai.onnx.preview.training"


def _groups(xs: tuple[Value, ...], kinds: int) -> list[tuple[Value, ...]]:
    """Operands that come as all of one kind, then all of the next, as one tuple for each tensor."""
    count = len(xs) // kinds
    if count * kinds != len(xs) or not count:
        raise Refusal(f"takes {kinds} operands for each tensor, got {len(xs)} in all")
    return [xs[i::count] for i in range(count)]


def _regular(b: Emitter, x: Value, gradient: Value, factor: float) -> Value:
    """The gradient with that of the squared norm of x."""
    return b(ops.Add(scaled(b, x, factor), gradient)) if factor else gradient


def _after_first(b: Emitter, t: Value, later: Value, first: Value) -> Value:
    return b(ops.Where(b(ops.Gt(t, b.full(0, t.dtype))), later, first))


def _in_order(results: list[tuple[Value, ...]]) -> list[Value]:
    return [item for kind in zip(*results, strict=True) for item in kind]


@onnx_op(domain=DOMAIN)
def Momentum(b: Emitter, r: Value, t: Value, *xs: Value, alpha, beta, mode, norm_coefficient) -> list[Value]:
    """v = alpha v + beta g (beta is 1 in the first step); x -= r v, or r (g + alpha v) as Nesterov has it."""
    results = []
    for x, gradient, v in _groups(xs, 3):
        g = _regular(b, x, gradient, norm_coefficient)
        weight = _after_first(b, t, b.full(beta, x.dtype), b.full(1.0, x.dtype))
        v = b(ops.Add(scaled(b, v, alpha), b(ops.Mul(g, weight))))
        move = v if mode == "standard" else b(ops.Add(g, scaled(b, v, alpha)))
        results.append((b(ops.Sub(x, b(ops.Mul(move, r)))), v))
    return _in_order(results)


@onnx_op(domain=DOMAIN)
def Adagrad(
    b: Emitter, r: Value, t: Value, *xs: Value, decay_factor=0.0, epsilon=1e-6, norm_coefficient=0.0
) -> list[Value]:
    """h += g g; x -= r / (1 + t decay) g / (sqrt(h) + epsilon) (Duchi et al. 2011)."""
    results = []
    for x, gradient, h in _groups(xs, 3):
        g = _regular(b, x, gradient, norm_coefficient)
        rate = b(ops.Div(r, shifted(b, scaled(b, b.cast(t, r.dtype), decay_factor), 1.0)))
        h = b(ops.Add(h, b(ops.Mul(g, g))))
        move = b(ops.Div(b(ops.Mul(g, rate)), shifted(b, b(ops.Sqrt(h)), epsilon)))
        results.append((b(ops.Sub(x, move)), h))
    return _in_order(results)


@onnx_op(domain=DOMAIN)
def Adam(
    b: Emitter, r: Value, t: Value, *xs: Value, alpha=0.9, beta=0.999, epsilon=1e-6, norm_coefficient=0.0,
    norm_coefficient_post=0.0,
) -> list[Value]:  # fmt: skip
    """Both moments decay; their bias is corrected after the first step (Kingma & Ba 2015)."""
    steps = b.cast(t, DType.f32)
    second = b(ops.Sqrt(_rest(b, beta, steps)))
    rate = _after_first(b, t, b(ops.Mul(r, b(ops.Div(second, _rest(b, alpha, steps))))), r)
    results = []
    for x, gradient, v, h in _groups(xs, 4):
        g = _regular(b, x, gradient, norm_coefficient)
        v = b(ops.Add(scaled(b, v, alpha), scaled(b, g, 1 - alpha)))
        h = b(ops.Add(scaled(b, h, beta), scaled(b, b(ops.Mul(g, g)), 1 - beta)))
        move = b(ops.Div(b(ops.Mul(v, rate)), shifted(b, b(ops.Sqrt(h)), epsilon)))
        results.append((scaled(b, b(ops.Sub(x, move)), 1 - norm_coefficient_post), v, h))
    return _in_order(results)


def _rest(b: Emitter, base: float, steps: Value) -> Value:
    """1 - base^steps."""
    return b(ops.Sub(b.full(1.0, DType.f32), b(ops.Pow(b.full(base, DType.f32), steps))))
