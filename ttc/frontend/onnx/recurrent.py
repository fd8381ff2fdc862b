"""ONNX recurrences: LSTM, GRU and RNN with lengths, layouts, peepholes, clipping and other activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.attributes import check_word
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.table import onnx_op
from ttc.ops.activation import FAMILIES, GATES, Activation
from ttc.ops.expr import Expr, apply, concat
from ttc.ops.recurrent import Recurrence

ACTIVATIONS = {name.replace("_", ""): name for name in GATES}
"""Our names of ONNX's activations, which compares theirs without regard to case."""

Make = Callable[..., Recurrence]


@onnx_op(since=7)
def LSTM(
    b: Emitter, x: Expr, w: Expr, r: Expr, bias: Expr | None = None, sequence_lens: Expr | None = None,
    initial_h: Expr | None = None, initial_c: Expr | None = None, peephole: Expr | None = None, *,
    hidden_size=None, direction="forward", layout=0, clip=0.0, input_forget=0, activations=(),
    activation_alpha=(), activation_beta=(),
) -> tuple[Expr, ...]:  # fmt: skip
    hidden = r.shape[2]
    order = (0, 2, 3, 1)  # theirs: i, o, f, c
    fields = {
        "w": _reordered(w, order, hidden),
        "r": _reordered(r, order, hidden),
        "bias": None if bias is None else _reordered(_summed(bias), order, hidden),
        "c": _state(initial_c, layout),
        "peephole": None if peephole is None else _reordered(peephole, (0, 2, 1), hidden),  # theirs: i, o, f
    }
    names = _activations(activations, activation_alpha, activation_beta, ("sigmoid", "tanh", "tanh"), w.shape[0])

    def make(**fields) -> Recurrence:
        return ops.Lstm(**fields, coupled=bool(input_forget))

    return _recurrence(b, make, x, sequence_lens, initial_h, fields, names, direction, layout, clip)


@onnx_op(since=7)
def GRU(
    b: Emitter, x: Expr, w: Expr, r: Expr, bias: Expr | None = None, sequence_lens: Expr | None = None,
    initial_h: Expr | None = None, *, hidden_size=None, direction="forward", layout=0, clip=0.0,
    linear_before_reset=0, activations=(), activation_alpha=(), activation_beta=(),
) -> tuple[Expr, ...]:  # fmt: skip
    hidden = r.shape[2]
    order = (1, 0, 2)  # theirs: z, r, h
    fields = {"w": _reordered(w, order, hidden), "r": _reordered(r, order, hidden)}
    if bias is not None and linear_before_reset:
        gates, last = bias.part(1, 3 * hidden, 5 * hidden), bias.part(1, 5 * hidden, 6 * hidden)
        none = b.full(0.0, bias.dtype, (bias.shape[0], hidden))
        total = bias.part(1, 0, 3 * hidden) + concat((gates, none), 1)
        fields |= {"bias": _reordered(total, order, hidden), "bias_n": last}
    elif bias is not None:
        fields["bias"] = _reordered(_summed(bias), order, hidden)

    def make(**fields) -> Recurrence:
        return ops.Gru(**fields, reset_after=bool(linear_before_reset))

    names = _activations(activations, activation_alpha, activation_beta, ("sigmoid", "tanh"), w.shape[0])
    return _recurrence(b, make, x, sequence_lens, initial_h, fields, names, direction, layout, clip)


@onnx_op(since=7)
def RNN(
    b: Emitter, x: Expr, w: Expr, r: Expr, bias: Expr | None = None, sequence_lens: Expr | None = None,
    initial_h: Expr | None = None, *, hidden_size=None, direction="forward", layout=0, clip=0.0, activations=(),
    activation_alpha=(), activation_beta=(),
) -> tuple[Expr, ...]:  # fmt: skip
    fields = {"w": w, "r": r, "bias": None if bias is None else _summed(bias)}
    names = _activations(activations, activation_alpha, activation_beta, ("tanh",), w.shape[0])
    return _recurrence(b, ops.Rnn, x, sequence_lens, initial_h, fields, names, direction, layout, clip)


def _recurrence(
    b: Emitter, make: Make, x: Expr, lengths: Expr | None, h: Expr | None, fields: Mapping[str, Expr | None],
    names: list[tuple[str, ...]], direction: str, layout: int, clip: float,
) -> tuple[Expr, ...]:  # fmt: skip
    """Return Y and the final states in ONNX's shapes; two recurrences if the directions' activations differ."""
    check_word("direction", direction, "forward", "reverse", "bidirectional")
    count = 1 + (direction == "bidirectional")
    for name, value in fields.items():
        if value is not None and value.shape[0] != count:
            raise Refusal(f"its {name} has {value.shape[0]} directions, {direction} has {count}")
    x = x.permute(1, 0, 2) if layout else x
    both = {**fields, "h": _state(h, layout)}
    common = {"x": x, "lengths": _lengths(b, lengths, x), "clip": float(clip)}
    if count == 2 and names[0] != names[1]:
        parts = [
            apply(make, **common, **_direction(both, each), activations=names[each], reverse=each == 1)
            for each in range(2)
        ]
        y = concat([part[0] for part in parts], 2)
        finals = [concat(whole, 0) for whole in zip(*(part[1:] for part in parts), strict=True)]
    else:
        y, *finals = apply(make, **common, **both, activations=names[0], reverse=direction == "reverse")
    steps, batch, wide = y.shape
    y = y.reshape(steps, batch, count, wide // count)
    order = (1, 0, 2, 3) if layout else (0, 2, 1, 3)
    return y.permute(*order), *(final.permute(1, 0, 2) if layout else final for final in finals)


def _direction(fields: dict[str, Expr | None], number: int) -> dict[str, Expr | None]:
    """Select one direction of fields that hold two."""
    return {name: None if x is None else x.part(0, number, number + 1) for name, x in fields.items()}


def _state(state: Expr | None, layout: int) -> Expr | None:
    """Convert a state between its two layouts, [D, B, H] and [B, D, H]; None for zeros."""
    if state is None or ops.number_of(state.value) == 0:
        return None
    return state.permute(1, 0, 2) if layout else state


def _lengths(b: Emitter, lengths: Expr | None, x: Expr) -> Expr | None:
    """Return the samples' lengths; None where all are known to fill x."""
    known = None if lengths is None else b.tensor(lengths)
    return None if known is not None and bool((known == x.shape[0]).all()) else lengths


def _summed(bias: Expr) -> Expr:
    """Sum a bias's two halves: of the input's product and of the state's."""
    half = bias.shape[1] // 2
    return bias.part(1, 0, half) + bias.part(1, half, 2 * half)


def _reordered(x: Expr, order: tuple[int, ...], hidden: int) -> Expr:
    """Order the gates of [D, G*H, ...] as ours."""
    return concat([x.part(1, gate * hidden, (gate + 1) * hidden) for gate in order], 1)


def _activations(
    given: tuple[str, ...], alpha: tuple[float, ...], beta: tuple[float, ...], default: tuple[str, ...], count: int
) -> list[tuple[str, ...]]:
    """Return the activations for each direction.

    Parameters stand in lists of those that the activations take, in order.
    """
    if count not in (1, 2):
        raise Refusal(f"has weights for {count} directions")
    names = [name.lower() for name in given] or list(default) * count
    if len(names) != count * len(default):
        raise Refusal(f"needs {count * len(default)} activations, got {len(names)}")
    unknown = [name for name in names if name not in ACTIVATIONS]
    if unknown:
        raise Refusal(f"no activation is called {unknown[0]}")
    alphas, betas = iter(alpha), iter(beta)
    ours = []
    for name in (ACTIVATIONS[name] for name in names):
        usual = FAMILIES[name].usual
        own = zip((alphas, betas), usual, strict=False)
        ours.append(str(Activation(name, tuple(next(numbers, default) for numbers, default in own))))
    return [tuple(ours[each * len(default) :][: len(default)]) for each in range(count)]
