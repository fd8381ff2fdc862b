"""Readings of torch's recurrences: nn.LSTM, nn.GRU and nn.RNN, layer upon layer.

They come as aten's ops from programs that users exported, and as our own (`recurrent_ops`), which have lengths.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.table import ExportBuilder, aten, full
from ttc.ir import Op, Value
from ttc.ops.recurrent import Recurrence

Weights = dict[str, Value]


@dataclass(frozen=True)
class Stack:
    """How layers are stacked: what all of torch's recurrences are called with."""

    has_biases: bool
    layers: int
    directions: int
    batch_first: bool
    projected: bool = False

    @property
    def each(self) -> int:
        """Parameters of one layer in one direction."""
        return 2 + 2 * self.has_biases + self.projected


def _stack(
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
    projected: bool = False,
) -> Stack:
    if train and dropout and num_layers > 1:
        raise Refusal("a recurrence with dropout in training mode: export the model in eval mode (model.eval())")
    return Stack(has_biases, num_layers, 1 + bidirectional, batch_first, projected)


def _recurrence(kind: str) -> Callable[[Callable[..., tuple[Value, ...]]], None]:
    """Register a reading of one of our ops, and of the aten op of this name, which has no lengths."""

    def register(reading: Callable[..., tuple[Value, ...]]) -> None:
        aten(f"ttc::{kind}")(reading)
        aten(f"{kind}.input")(lambda b, x, *operands: reading(b, x, None, *operands))

    return register


@_recurrence("lstm")
def lstm(
    b: ExportBuilder, x: Value, lengths: Value | None, hx: list[Value], params: list[Value], has_biases: bool,
    num_layers: int, dropout: float, train: bool, bidirectional: bool, batch_first: bool,
) -> tuple[Value, ...]:  # fmt: skip
    projected = hx[0].shape[-1] != hx[1].shape[-1]
    stack = _stack(has_biases, num_layers, dropout, train, bidirectional, batch_first, projected)

    def layer(x: Value, states: list[Value | None], weights: Weights) -> Recurrence:
        bias = _sum(b, weights.get("bias"), weights.get("bias_r"))
        projection = weights.get("projection")
        return ops.Lstm(x, weights["w"], weights["r"], bias, lengths, states[0], states[1], projection)

    return _layers(b, x, hx, params, stack, layer)


@_recurrence("gru")
def gru(
    b: ExportBuilder, x: Value, lengths: Value | None, hx: Value, params: list[Value], has_biases: bool,
    num_layers: int, dropout: float, train: bool, bidirectional: bool, batch_first: bool,
) -> tuple[Value, ...]:  # fmt: skip
    stack = _stack(has_biases, num_layers, dropout, train, bidirectional, batch_first)

    def layer(x: Value, states: list[Value | None], weights: Weights) -> Recurrence:
        if not has_biases:
            return ops.Gru(x, weights["w"], weights["r"], lengths=lengths, h=states[0])
        bias_r, hidden = weights["bias_r"], weights["bias_r"].shape[1] // 3
        gates = compose.part(b, bias_r, 1, 0, 2 * hidden)
        none = full(b, (bias_r.shape[0], hidden), 0, bias_r.dtype)
        bias = _sum(b, weights["bias"], b(ops.Concat((gates, none), 1)))
        bias_n = compose.part(b, bias_r, 1, 2 * hidden, 3 * hidden)
        return ops.Gru(x, weights["w"], weights["r"], bias, bias_n, lengths, states[0])

    return _layers(b, x, [hx], params, stack, layer)


def _rnn(kind: str, activation: str) -> None:
    @_recurrence(kind)
    def reading(
        b: ExportBuilder, x: Value, lengths: Value | None, hx: Value, params: list[Value], has_biases: bool,
        num_layers: int, dropout: float, train: bool, bidirectional: bool, batch_first: bool,
    ) -> tuple[Value, ...]:  # fmt: skip
        stack = _stack(has_biases, num_layers, dropout, train, bidirectional, batch_first)

        def layer(x: Value, states: list[Value | None], weights: Weights) -> Recurrence:
            bias = _sum(b, weights.get("bias"), weights.get("bias_r"))
            return ops.Rnn(x, weights["w"], weights["r"], bias, lengths, states[0], activations=(activation,))

        return _layers(b, x, [hx], params, stack, layer)


_rnn("rnn_tanh", "tanh")
_rnn("rnn_relu", "relu")


def _layers(
    b: ExportBuilder,
    x: Value,
    initial: list[Value],
    params: list[Value],
    stack: Stack,
    layer: Callable[[Value, list[Value | None], Weights], Op],
) -> tuple[Value, ...]:
    """y of the last layer, and each final state of all layers and directions."""
    x = compose.transpose(b, x, 0, 1) if stack.batch_first else x
    finals: list[Any] = []
    for number in range(stack.layers):
        first = number * stack.directions
        states = [_state(b, state, first, stack.directions) for state in initial]
        x, *last = b.add(layer(x, states, _weights(b, params[first * stack.each :], stack)))
        finals.append(last)
    y = compose.transpose(b, x, 0, 1) if stack.batch_first else x
    joined = (whole[0] if len(whole) == 1 else b(ops.Concat(whole, 0)) for whole in zip(*finals, strict=True))
    return y, *joined


def _state(b: ExportBuilder, state: Value, first: int, count: int) -> Value | None:
    """The initial states of one layer; None for zeros."""
    part = compose.part(b, state, 0, first, first + count)
    return None if ops.number_of(part) == 0 else part


def _weights(b: ExportBuilder, params: list[Value], stack: Stack) -> Weights:
    """One layer's parameters by what they are, both directions of each stacked."""
    names = ["w", "r", *(["bias", "bias_r"] if stack.has_biases else []), *(["projection"] if stack.projected else [])]
    stacked: Weights = {}
    for position, name in enumerate(names):
        found = [params[direction * stack.each + position] for direction in range(stack.directions)]
        parts = tuple(compose.unsqueeze(b, param, 0) for param in found)
        stacked[name] = parts[0] if len(parts) == 1 else b(ops.Concat(parts, 0))
    return stacked


def _sum(b: ExportBuilder, x: Value | None, y: Value | None) -> Value | None:
    return x if y is None or x is None else b(ops.Add(x, y))
