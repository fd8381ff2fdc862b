"""Recurrences whose weights are known only at run time: step after step, in ops of their own."""

from __future__ import annotations

from dataclasses import dataclass

from ttc import ops
from ttc.ir import Builder, Op, TensorType, Value
from ttc.ops.gates import Gate, gate
from ttc.passes.compose import number, part

STEP_LIMIT = 64
"""Steps to which a recurrence is unrolled: a program has a call for every op of every step."""

ACTIVATIONS: dict[str, type[Op]] = {
    "sigmoid": ops.Sigmoid, "tanh": ops.Tanh, "relu": ops.Relu, "softsign": ops.Softsign, "softplus": ops.Softplus,
    "elu": ops.Elu, "leaky_relu": ops.LeakyRelu,
}  # fmt: skip
Kinds = ops.Lstm | ops.Gru | ops.Rnn
States = tuple[Value, ...]


def decomposed_recurrence(op: Kinds, builder: Builder) -> tuple[Value, ...] | None:
    """All steps written out; a recurrence of known weights stays whole."""
    weights = [getattr(op, name, None) for name in ("w", "r", "bias", "bias_n", "projection", "peephole")]
    known = all(item is None or item in builder.constants for item in weights)
    if known or op.x.shape[0] > STEP_LIMIT:
        return None
    found = [_Direction(op, direction, builder).walk() for direction in range(op.directions)]
    y = tuple(rows for rows, _ in found)
    finals = zip(*(states for _, states in found), strict=True)
    whole = [_joined(tuple(_front(state, builder) for state in states), 0, builder) for states in finals]
    return _joined(y, 2, builder), *whole


def _joined(xs: tuple[Value, ...], dim: int, builder: Builder) -> Value:
    return xs[0] if len(xs) == 1 else builder(ops.Concat(xs, dim))


def _front(x: Value, builder: Builder) -> Value:
    return builder(ops.Reshape(x, (1, *x.shape)))


@dataclass(frozen=True)
class _Direction:
    """One direction of a recurrence, being written out."""

    op: Kinds
    number: int
    builder: Builder

    def walk(self) -> tuple[Value, States]:
        """y [T, B, P] of this direction, and its final states."""
        op, builder = self.op, self.builder
        rows = self.product(op.x, self.own(op.w))
        rows = rows if op.bias is None else builder(ops.Add(rows, self.own(op.bias)))
        states = self.initial()
        steps = op.x.shape[0]
        outputs: dict[int, Value] = {}
        for t in reversed(range(steps)) if op.reverse or self.number == 1 else range(steps):
            row = part(rows, 0, t, t + 1, builder)
            new = self.step(builder(ops.Reshape(row, row.shape[1:])), states)
            outputs[t], states = self.kept(t, new, states)
        return _joined(tuple(_front(outputs[t], builder) for t in range(steps)), 0, builder), states

    def kept(self, t: int, new: States, old: States) -> tuple[Value, States]:
        """The step's output and states; after a sample's end nothing, and the states that it had."""
        lengths, builder = self.op.lengths, self.builder
        if lengths is None:
            return new[0], new
        valid = builder(ops.Reshape(builder(ops.Gt(lengths, number(lengths, t, builder))), (lengths.shape[0], 1)))
        nothing = number(new[0], 0.0, builder)
        states = tuple(builder(ops.Where(valid, a, b)) for a, b in zip(new, old, strict=True))
        return builder(ops.Where(valid, new[0], nothing)), states

    def step(self, row: Value, states: States) -> States:
        """The states after a step, from x[t] @ w.T + bias and those before it."""
        match self.op:
            case ops.Lstm():
                return self.lstm(row, states)
            case ops.Gru():
                return (self.gru(row, states[0]),)
        seen = self.product(states[0], self.own(self.op.r))
        return (self.activated(0, self.builder(ops.Add(row, seen))),)

    def lstm(self, row: Value, states: States) -> States:
        op, builder = self.op, self.builder
        assert isinstance(op, ops.Lstm)
        before, cell = states
        i, f, g, o = self.split(builder(ops.Add(row, self.product(before, self.own(op.r)))), 4)
        sees = (None,) * 3 if op.peephole is None else self.split(self.own(op.peephole), 3)
        i = self.activated(0, self.seeing(i, cell, sees[0]))
        if op.coupled:
            f = builder(ops.Sub(number(i, 1.0, builder), i))
        else:
            f = self.activated(0, self.seeing(f, cell, sees[1]))
        cell = builder(ops.Add(builder(ops.Mul(f, cell)), builder(ops.Mul(i, self.activated(1, g)))))
        out = self.activated(0, self.seeing(o, cell, sees[2]))
        state = builder(ops.Mul(out, self.activated(2, cell, clipped=False)))
        return (state if op.projection is None else self.product(state, self.own(op.projection))), cell

    def seeing(self, gate: Value, cell: Value, weight: Value | None) -> Value:
        """A gate that also sees the cell through a peephole."""
        return gate if weight is None else self.builder(ops.Add(gate, self.builder(ops.Mul(weight, cell))))

    def gru(self, row: Value, before: Value) -> Value:
        op, builder, hidden = self.op, self.builder, self.op.hidden
        assert isinstance(op, ops.Gru)
        r = self.own(op.r)
        seen = self.product(before, part(r, 0, 0, 2 * hidden, builder))
        gates = self.activated(0, builder(ops.Add(part(row, 1, 0, 2 * hidden, builder), seen)))
        reset, z = self.split(gates, 2)
        to_n = part(r, 0, 2 * hidden, 3 * hidden, builder)
        if op.reset_after:
            inner = self.product(before, to_n)
            inner = inner if op.bias_n is None else builder(ops.Add(inner, self.own(op.bias_n)))
            inner = builder(ops.Mul(reset, inner))
        else:
            inner = self.product(builder(ops.Mul(reset, before)), to_n)
        n = self.activated(1, builder(ops.Add(part(row, 1, 2 * hidden, 3 * hidden, builder), inner)))
        return builder(ops.Add(n, builder(ops.Mul(z, builder(ops.Sub(before, n))))))

    def activated(self, which: int, x: Value, clipped: bool = True) -> Value:
        """x after the activation of this number, clipped before it as the op says."""
        clip, builder = self.op.clip, self.builder
        x = builder(ops.Clamp(x, -clip, clip)) if clip and clipped else x
        match gate(self.op.activations[which]):
            case Gate("thresholded_relu", (alpha,)):
                return builder(ops.Where(builder(ops.Gt(x, number(x, alpha, builder))), x, number(x, 0.0, builder)))
            case Gate("scaled_tanh", (alpha, beta)):
                return self.scaled(builder(ops.Tanh(self.scaled(x, beta))), alpha)
            case Gate("hard_sigmoid" | "affine" as name, (alpha, beta)):
                line = builder(ops.Add(self.scaled(x, alpha), number(x, beta, builder)))
                return line if name == "affine" else builder(ops.Clamp(line, 0.0, 1.0))
            case Gate(name, parameters):
                return builder(ACTIVATIONS[name](x, *parameters))  # type: ignore[call-arg]

    def scaled(self, x: Value, factor: float) -> Value:
        return self.builder(ops.Mul(x, number(x, factor, self.builder)))

    def own(self, x: Value) -> Value:
        """This direction's part of an operand [D, ...], without that dimension."""
        found = part(x, 0, self.number, self.number + 1, self.builder)
        return self.builder(ops.Reshape(found, found.shape[1:]))

    def initial(self) -> States:
        """The states before the first step: given, or zeros."""
        op, batch = self.op, self.op.x.shape[1]
        given = ((op.h, op.state), (op.c, op.hidden)) if isinstance(op, ops.Lstm) else ((op.h, op.state),)
        return tuple(
            self.builder(ops.Full(TensorType(op.x.dtype, (batch, size)), 0.0)) if state is None else self.own(state)
            for state, size in given
        )

    def product(self, x: Value, w: Value) -> Value:
        """x @ w.T."""
        return self.builder(ops.Matmul(x, self.builder(ops.Permute(w, (1, 0)))))

    def split(self, x: Value, count: int) -> tuple[Value, ...]:
        """The last dimension in equal parts."""
        last, size = x.type.rank - 1, x.shape[-1] // count
        return tuple(part(x, last, i * size, (i + 1) * size, self.builder) for i in range(count))
