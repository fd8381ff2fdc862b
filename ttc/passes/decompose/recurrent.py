"""The decomposition of recurrences whose weights are known only at run time: unrolled, step after step."""

from __future__ import annotations

from dataclasses import dataclass

from ttc import ops
from ttc.ir import Builder, TensorType, Value
from ttc.ops.activation import FAMILIES, Activation, activation_named
from ttc.ops.expr import Expr, apply, concat, tanh, where
from ttc.ops.recurrent import Recurrence

STEP_LIMIT = 64
"""The most steps of a recurrence that is unrolled: a program has a call for every op of every step."""

States = tuple[Expr, ...]


def decomposed_recurrence(op: Recurrence, builder: Builder) -> States | None:
    """Unroll all steps; None for a recurrence of known weights, which stays whole, or of too many steps."""
    weights = [getattr(op, name, None) for name in ("w", "r", "bias", "bias_n", "projection", "peephole")]
    known = all(item is None or item in builder.constants for item in weights)
    if known or op.x.shape[0] > STEP_LIMIT:
        return None
    found = [_Direction(op, direction, builder).walk() for direction in range(op.directions)]
    y = [rows for rows, _ in found]
    finals = zip(*(states for _, states in found), strict=True)
    whole = [concat([_front(state) for state in states], 0) for states in finals]
    return concat(y, 2), *whole


def _front(x: Expr) -> Expr:
    """Add a leading dimension of size 1."""
    return x.reshape(1, *x.shape)


@dataclass(frozen=True)
class _Direction:
    """One direction of a recurrence, being unrolled."""

    op: Recurrence
    number: int
    builder: Builder

    def walk(self) -> tuple[Expr, States]:
        """Unroll this direction: y [T, B, P] and the final states."""
        op = self.op
        rows = _product(Expr(op.x, self.builder), self.own(op.w))
        rows = rows if op.bias is None else rows + self.own(op.bias)
        states = self.initial()
        steps = op.x.shape[0]
        outputs: dict[int, Expr] = {}
        for t in reversed(range(steps)) if op.reverse or self.number == 1 else range(steps):
            row = rows.part(0, t, t + 1)
            new = self.step(row.reshape(*row.shape[1:]), states)
            outputs[t], states = self.kept(t, new, states)
        return concat([_front(outputs[t]) for t in range(steps)], 0), states

    def kept(self, t: int, new: States, old: States) -> tuple[Expr, States]:
        """Return the step's output and states; after a sample's end 0 and the sample's last states."""
        if self.op.lengths is None:
            return new[0], new
        lengths = Expr(self.op.lengths, self.builder)
        valid = (lengths > t).reshape(lengths.shape[0], 1)
        nothing = new[0].number(0.0)
        states = tuple(where(valid, a, b) for a, b in zip(new, old, strict=True))
        return where(valid, new[0], nothing), states

    def step(self, row: Expr, states: States) -> States:
        """Compute the states after a step from `row`, x[t] @ w.T + bias, and the states before."""
        match self.op:
            case ops.Lstm():
                return self.lstm(row, states)
            case ops.Gru():
                return (self.gru(row, states[0]),)
        return (self.activated(0, row + _product(states[0], self.own(self.op.r))),)

    def lstm(self, row: Expr, states: States) -> States:
        """Compute h = o * tanh(c), where c = f * c' + i * g, and c; gates i, f, g, o are parts of row + h' @ r.T."""
        op = self.op
        assert isinstance(op, ops.Lstm)
        before, cell = states
        i, f, g, o = _split(row + _product(before, self.own(op.r)), 4)
        sees = (None,) * 3 if op.peephole is None else _split(self.own(op.peephole), 3)
        i = self.activated(0, _seeing(i, cell, sees[0]))
        f = 1.0 - i if op.coupled else self.activated(0, _seeing(f, cell, sees[1]))
        cell = f * cell + i * self.activated(1, g)
        out = self.activated(0, _seeing(o, cell, sees[2]))
        state = out * self.activated(2, cell, clipped=False)
        return (state if op.projection is None else _product(state, self.own(op.projection))), cell

    def gru(self, row: Expr, before: Expr) -> Expr:
        """Compute h = (1 - z) * n + z * h', where the reset gate acts before or after the product with h'."""
        op, hidden = self.op, self.op.hidden
        assert isinstance(op, ops.Gru)
        r = self.own(op.r)
        seen = _product(before, r.part(0, 0, 2 * hidden))
        reset, z = _split(self.activated(0, row.part(1, 0, 2 * hidden) + seen), 2)
        to_n = r.part(0, 2 * hidden, 3 * hidden)
        if op.reset_after:
            inner = _product(before, to_n)
            inner = reset * (inner if op.bias_n is None else inner + self.own(op.bias_n))
        else:
            inner = _product(reset * before, to_n)
        n = self.activated(1, row.part(1, 2 * hidden, 3 * hidden) + inner)
        return n + z * (before - n)

    def activated(self, which: int, x: Expr, clipped: bool = True) -> Expr:
        """Apply the activation of this number to x, which is clipped first where the op has a clip."""
        clip = self.op.clip
        x = x.clamp(-clip, clip) if clip and clipped else x
        match activation_named(self.op.activations[which]):
            case Activation("thresholded_relu", (alpha,)):
                return where(x > alpha, x, 0.0)
            case Activation("scaled_tanh", (alpha, beta)):
                return tanh(x * beta) * alpha
            case Activation("hard_sigmoid", (alpha, beta)):  # an op that is decomposed too
                return (x * alpha + beta).clamp(0.0, 1.0)
            case Activation("affine", (alpha, beta)):
                return x * alpha + beta
            case Activation(name, parameters):
                made = FAMILIES[name].op
                assert made is not None, f"{name} stands above"
                return apply(made, x, *parameters)

    def own(self, x: Value) -> Expr:
        """Take this direction's part of an operand [D, ...], without dimension D."""
        return Expr(x, self.builder).part(0, self.number, self.number + 1).reshape(*x.shape[1:])

    def initial(self) -> States:
        """Return the states before the first step: the op's operands, or zeros [B, size]."""
        op, batch = self.op, self.op.x.shape[1]
        given = ((op.h, op.state), (op.c, op.hidden)) if isinstance(op, ops.Lstm) else ((op.h, op.state),)
        return tuple(
            Expr(self.builder(ops.Full(TensorType(op.x.dtype, (batch, size)), 0.0)), self.builder)
            if state is None
            else self.own(state)
            for state, size in given
        )


def _seeing(gate: Expr, cell: Expr, weight: Expr | None) -> Expr:
    """Add to a gate weight * cell, a peephole, where there is one."""
    return gate if weight is None else gate + weight * cell


def _product(x: Expr, w: Expr) -> Expr:
    """Multiply x by w.T."""
    return x @ w.permute(1, 0)


def _split(x: Expr, count: int) -> States:
    """Split the last dimension into `count` equal parts."""
    size = x.shape[-1] // count
    return tuple(x.part(-1, i * size, (i + 1) * size) for i in range(count))
