"""Readings of torch's recurrences: nn.LSTM, nn.GRU and nn.RNN, layer upon layer.

Recurrences are aten's ops in programs that users exported, and our own (`recurrent_ops`), which have lengths.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.table import ExportBuilder, aten, full
from ttc.ops.expr import Expr, apply, concat

Weights = dict[str, Expr]


@dataclass(frozen=True)
class Stack:
    """The stacking of layers: the options that all of torch's recurrences are called with."""

    has_biases: bool
    layers: int
    directions: int
    batch_first: bool
    projected: bool = False

    @property
    def each(self) -> int:
        """Count the parameters of one layer in one direction."""
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


def _recurrence(kind: str) -> Callable[[Callable[..., tuple[Expr, ...]]], None]:
    """Register a reading of one of our ops, and of the aten op of this name, which has no lengths."""

    def register(reading: Callable[..., tuple[Expr, ...]]) -> None:
        aten(f"ttc::{kind}")(reading)
        aten(f"{kind}.input")(lambda b, x, *operands: reading(b, x, None, *operands))

    return register


@_recurrence("lstm")
def lstm(
    b: ExportBuilder, x: Expr, lengths: Expr | None, hx: list[Expr], params: list[Expr], has_biases: bool,
    num_layers: int, dropout: float, train: bool, bidirectional: bool, batch_first: bool,
) -> tuple[Expr, ...]:  # fmt: skip
    projected = hx[0].shape[-1] != hx[1].shape[-1]
    stack = _stack(has_biases, num_layers, dropout, train, bidirectional, batch_first, projected)

    def layer(x: Expr, states: list[Expr | None], weights: Weights) -> tuple[Expr, ...]:
        bias = _sum(weights.get("bias"), weights.get("bias_r"))
        projection = weights.get("projection")
        return apply(ops.Lstm, x, weights["w"], weights["r"], bias, lengths, states[0], states[1], projection)

    return _layers(x, hx, params, stack, layer)


@_recurrence("gru")
def gru(
    b: ExportBuilder, x: Expr, lengths: Expr | None, hx: Expr, params: list[Expr], has_biases: bool,
    num_layers: int, dropout: float, train: bool, bidirectional: bool, batch_first: bool,
) -> tuple[Expr, ...]:  # fmt: skip
    stack = _stack(has_biases, num_layers, dropout, train, bidirectional, batch_first)

    def layer(x: Expr, states: list[Expr | None], weights: Weights) -> tuple[Expr, ...]:
        if not has_biases:
            return apply(ops.Gru, x, weights["w"], weights["r"], lengths=lengths, h=states[0])
        bias_r, hidden = weights["bias_r"], weights["bias_r"].shape[1] // 3
        gates = bias_r.part(1, 0, 2 * hidden)
        none = full(b, (bias_r.shape[0], hidden), 0, bias_r.dtype)
        bias = _sum(weights["bias"], concat((gates, none), 1))
        bias_n = bias_r.part(1, 2 * hidden, 3 * hidden)
        return apply(ops.Gru, x, weights["w"], weights["r"], bias, bias_n, lengths, states[0])

    return _layers(x, [hx], params, stack, layer)


def _rnn(kind: str, activation: str) -> None:
    @_recurrence(kind)
    def reading(
        b: ExportBuilder, x: Expr, lengths: Expr | None, hx: Expr, params: list[Expr], has_biases: bool,
        num_layers: int, dropout: float, train: bool, bidirectional: bool, batch_first: bool,
    ) -> tuple[Expr, ...]:  # fmt: skip
        stack = _stack(has_biases, num_layers, dropout, train, bidirectional, batch_first)

        def layer(x: Expr, states: list[Expr | None], weights: Weights) -> tuple[Expr, ...]:
            bias = _sum(weights.get("bias"), weights.get("bias_r"))
            return apply(ops.Rnn, x, weights["w"], weights["r"], bias, lengths, states[0], activations=(activation,))

        return _layers(x, [hx], params, stack, layer)


_rnn("rnn_tanh", "tanh")
_rnn("rnn_relu", "relu")


def _layers(
    x: Expr,
    initial: list[Expr],
    params: list[Expr],
    stack: Stack,
    layer: Callable[[Expr, list[Expr | None], Weights], tuple[Expr, ...]],
) -> tuple[Expr, ...]:
    """Return y of the last layer, and each final state of all layers and directions."""
    x = compose.transpose(x, 0, 1) if stack.batch_first else x
    finals: list[Any] = []
    for number in range(stack.layers):
        first = number * stack.directions
        states = [_state(state, first, stack.directions) for state in initial]
        x, *last = layer(x, states, _weights(params[first * stack.each :], stack))
        finals.append(last)
    y = compose.transpose(x, 0, 1) if stack.batch_first else x
    return y, *(concat(whole, 0) for whole in zip(*finals, strict=True))


def _state(state: Expr, first: int, count: int) -> Expr | None:
    """Return the initial states of one layer; None for zeros."""
    part = state.part(0, first, first + count)
    return None if ops.number_of(part.value) == 0 else part


def _weights(params: list[Expr], stack: Stack) -> Weights:
    """Name one layer's parameters, those of both directions stacked."""
    names = ["w", "r", *(["bias", "bias_r"] if stack.has_biases else []), *(["projection"] if stack.projected else [])]
    stacked: Weights = {}
    for position, name in enumerate(names):
        found = [params[direction * stack.each + position] for direction in range(stack.directions)]
        stacked[name] = concat([compose.unsqueeze(param, 0) for param in found], 0)
    return stacked


def _sum(x: Expr | None, y: Expr | None) -> Expr | None:
    return x if y is None or x is None else x + y
