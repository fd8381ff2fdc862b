"""Recurrences over time: LSTM, GRU and the plain RNN, in one or two directions, with a length for each sample.

For all of them x is [T, B, I], D directions (2: forward, then backward), H hidden and P state sizes (P = H unless
projected), w [D, G*H, I] and r [D, G*H, P] with G gates each, bias [D, G*H], lengths i64[B], h [D, B, P] (zeros if
absent). y is [T, B, D*P], zero from each sample's end on; final states are [D, B, ...], those after a sample's last
step. The backward direction starts at each sample's own end (torch's packed sequences, ONNX's sequence_lens).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ttc.ir import Op, TensorType, Value, require
from ttc.ops.activation import accept_gate, activation_named
from ttc.ops.facts import Exactness, Facts, Finite
from ttc.ops.rules import same_dtype

__all__ = ["Gru", "Lstm", "Rnn"]

States = tuple[Tensor, ...]


class Recurrence(Op, abstract=True):
    """Operand checks and the walk over time that LSTM, GRU and RNN share."""

    x: Value
    w: Value
    r: Value
    bias: Value | None
    lengths: Value | None
    h: Value | None
    reverse: bool
    clip: float
    activations: tuple[str, ...]
    gates: int

    @property
    def directions(self) -> int:
        """Return the number of directions D, 1 or 2."""
        return self.w.shape[0]

    @property
    def hidden(self) -> int:
        """Return the hidden size H."""
        return self.w.shape[1] // self.gates

    @property
    def state(self) -> int:
        """Return the state size P."""
        return self.r.shape[2]

    def state_type(self, size: int) -> TensorType:
        """Return the type of a state of this size for each direction and sample."""
        return TensorType(self.x.dtype, (self.directions, self.x.shape[1], size))

    def check(self, activations: int) -> None:
        """Check the operands that LSTM, GRU and RNN share; TypeRuleError for the first that does not fit."""
        for value, rank, what in ((self.x, 3, "x"), (self.w, 3, "w"), (self.r, 3, "r")):
            require(value.type.rank == rank, f"{what} must have {rank} dimensions, got {value.type}")
        require(self.x.shape[0] >= 1, f"x has no steps: {self.x.type}")
        count, wide = self.directions, self.gates * self.hidden
        require(count in (1, 2) and not (count == 2 and self.reverse), f"{count} directions, reverse {self.reverse}")
        require(self.w.shape == (count, wide, self.x.shape[2]), f"w {self.w.type} does not fit x {self.x.type}")
        require(self.r.shape[:2] == (count, wide), f"r {self.r.type} does not fit w {self.w.type}")
        self.check_shape(self.bias, (count, wide), "bias")
        self.check_shape(self.h, self.state_type(self.state).shape, "h")
        self.check_shape(self.lengths, (self.x.shape[1],), "lengths")
        require(self.lengths is None or self.lengths.dtype.is_integer, "lengths must be integers")
        require(len(self.activations) == activations, f"needs {activations} activations, got {self.activations}")
        for name in self.activations:
            accept_gate(name)
        same_dtype(*(value for value in self.operands() if value is not self.lengths))

    def check_shape(self, value: Value | None, shape: tuple[int, ...], what: str) -> None:
        """Require `shape` of an operand if the operand is present."""
        require(value is None or value.shape == shape, f"{what} must be {list(shape)}, got {value and value.type}")

    def clipped(self, x: Tensor) -> Tensor:
        """Clip x as the op demands before an activation."""
        return torch.clamp(x, -self.clip, self.clip) if self.clip else x

    def walk(
        self, x: Tensor, lengths: Tensor | None, states: States, step: Callable[[int, Tensor, States], States]
    ) -> States:
        """Return y and the final states: `step(direction, x[t] @ w.T + bias, states)` in each step and direction."""
        outputs, finals = [], []
        for direction in range(self.directions):
            backward = self.reverse or direction == 1
            state = tuple(whole[direction] for whole in states)
            rows: list[Tensor] = [x.new_empty(0)] * x.shape[1]
            for t in reversed(range(x.shape[1])) if backward else range(x.shape[1]):
                new = step(direction, x[direction, t], state)
                rows[t] = new[0]
                if lengths is not None:
                    valid = (t < lengths).unsqueeze(1)
                    rows[t] = torch.where(valid, new[0], 0.0)
                    new = tuple(torch.where(valid, a, b) for a, b in zip(new, state, strict=True))
                state = new
            outputs.append(torch.stack(rows))
            finals.append(state)
        return torch.cat(outputs, -1), *(torch.stack(whole) for whole in zip(*finals, strict=True))


def inputs(x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    """Compute x @ w.T + bias for each direction: [D, T, B, G*H]."""
    y = torch.einsum("tbi,dgi->dtbg", x, w)
    return y if bias is None else y + bias[:, None, None]


def initial(state: Tensor | None, like: Tensor, size: int) -> Tensor:
    """Return a given state, or zeros [D, B, size] for `inputs` like these."""
    return like.new_zeros(like.shape[0], like.shape[2], size) if state is None else state


@dataclass(frozen=True)
class Lstm(Recurrence):
    """c' = f * c + i * g, h' = o * tanh(c') (Hochreiter & Schmidhuber 1997); gates in w, r, bias: i, f, g, o.

    `projection` [D, P, H] maps h' to the state (LSTMP); `peephole` [D, 3*H] are the weights with which i and f see c,
    and o sees c'. `activations` are those of the gates, of g, and of c'; where i and f are `coupled`, f = 1 - i.
    Results: y, h, c.
    """

    x: Value
    w: Value
    r: Value
    bias: Value | None = None
    lengths: Value | None = None
    h: Value | None = None
    c: Value | None = None
    projection: Value | None = None
    peephole: Value | None = None
    reverse: bool = False
    clip: float = 0.0
    activations: tuple[str, ...] = ("sigmoid", "tanh", "tanh")
    coupled: bool = False
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.LOST)
    gates = 4

    def infer(self) -> tuple[TensorType, ...]:
        self.check(activations=3)
        count, hidden, state = self.directions, self.hidden, self.state
        self.check_shape(self.c, self.state_type(hidden).shape, "c")
        self.check_shape(self.projection, (count, state, hidden), "projection")
        self.check_shape(self.peephole, (count, 3 * hidden), "peephole")
        require(self.projection is not None or state == hidden, f"r {self.r.type} needs a projection to {state}")
        y = TensorType(self.x.dtype, (*self.x.shape[:2], count * state))
        return y, self.state_type(state), self.state_type(hidden)

    def eval(
        self,
        x: Tensor,
        w: Tensor,
        r: Tensor,
        bias: Tensor | None,
        lengths: Tensor | None,
        h: Tensor | None,
        c: Tensor | None,
        projection: Tensor | None,
        peephole: Tensor | None,
    ) -> States:
        to_gate, to_cell, to_state = map(activation_named, self.activations)
        hidden = self.hidden

        def step(direction: int, row: Tensor, states: States) -> States:
            before, cell = states
            i, f, g, o = (row + before @ r[direction].T).split(hidden, -1)
            see_i, see_f, see_o = (0.0,) * 3 if peephole is None else peephole[direction].split(hidden)
            i = to_gate(self.clipped(i + see_i * cell))
            f = 1 - i if self.coupled else to_gate(self.clipped(f + see_f * cell))
            cell = f * cell + i * to_cell(self.clipped(g))
            state = to_gate(self.clipped(o + see_o * cell)) * to_state(cell)
            return (state if projection is None else state @ projection[direction].T), cell

        rows = inputs(x, w, bias)
        return self.walk(rows, lengths, (initial(h, rows, self.state), initial(c, rows, hidden)), step)


@dataclass(frozen=True)
class Gru(Recurrence):
    """h' = (1 - z) * n + z * h (Cho et al. 2014); gates in w, r, bias: r, z, n.

    n = tanh(x_n + r * (h_n + bias_n)) with the reset after the product (torch, ONNX's linear_before_reset), else
    tanh(x_n + (r * h)_n); bias_n is [D, H]. `activations` are those of the gates and of n. Results: y, h.
    """

    x: Value
    w: Value
    r: Value
    bias: Value | None = None
    bias_n: Value | None = None
    lengths: Value | None = None
    h: Value | None = None
    reverse: bool = False
    reset_after: bool = True
    clip: float = 0.0
    activations: tuple[str, ...] = ("sigmoid", "tanh")
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.LOST)
    gates = 3

    def infer(self) -> tuple[TensorType, ...]:
        self.check(activations=2)
        self.check_shape(self.bias_n, (self.directions, self.hidden), "bias_n")
        require(self.reset_after or self.bias_n is None, "bias_n is part of bias where the reset comes first")
        require(self.state == self.hidden, f"r {self.r.type} does not take a state of {self.hidden}")
        y = TensorType(self.x.dtype, (*self.x.shape[:2], self.directions * self.hidden))
        return y, self.state_type(self.hidden)

    def eval(
        self,
        x: Tensor,
        w: Tensor,
        r: Tensor,
        bias: Tensor | None,
        bias_n: Tensor | None,
        lengths: Tensor | None,
        h: Tensor | None,
    ) -> States:
        to_gate, to_new = map(activation_named, self.activations)
        hidden = self.hidden

        def step(direction: int, row: Tensor, states: States) -> States:
            (before,) = states
            to_gates, to_n = r[direction].T.split((2 * hidden, hidden), -1)
            reset, z = to_gate(self.clipped(row[:, : 2 * hidden] + before @ to_gates)).split(hidden, -1)
            if self.reset_after:
                seen = reset * (before @ to_n + (0.0 if bias_n is None else bias_n[direction]))
            else:
                seen = (reset * before) @ to_n
            n = to_new(self.clipped(row[:, 2 * hidden :] + seen))
            return ((1 - z) * n + z * before,)

        rows = inputs(x, w, bias)
        return self.walk(rows, lengths, (initial(h, rows, hidden),), step)


@dataclass(frozen=True)
class Rnn(Recurrence):
    """h' = tanh(x @ w.T + h @ r.T + bias) (Elman 1990), or another activation. Results: y, h."""

    x: Value
    w: Value
    r: Value
    bias: Value | None = None
    lengths: Value | None = None
    h: Value | None = None
    reverse: bool = False
    clip: float = 0.0
    activations: tuple[str, ...] = ("tanh",)
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.LOST)
    gates = 1

    def infer(self) -> tuple[TensorType, ...]:
        self.check(activations=1)
        require(self.state == self.hidden, f"r {self.r.type} does not take a state of {self.hidden}")
        y = TensorType(self.x.dtype, (*self.x.shape[:2], self.directions * self.hidden))
        return y, self.state_type(self.hidden)

    def eval(
        self, x: Tensor, w: Tensor, r: Tensor, bias: Tensor | None, lengths: Tensor | None, h: Tensor | None
    ) -> States:
        function = activation_named(self.activations[0])

        def step(direction: int, row: Tensor, states: States) -> States:
            return (function(self.clipped(row + states[0] @ r[direction].T)),)

        rows = inputs(x, w, bias)
        return self.walk(rows, lengths, (initial(h, rows, self.hidden),), step)
