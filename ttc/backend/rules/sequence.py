"""A recurrence's operands brought into the form of its loop, and the results out of it.

In the loop every tensor is [T, D, B, features], TILE, so that step t is one slice. In two directions the second one
is stored in reverse: its step t stands for the position T - 1 - t. A single backward direction is stored in order,
and the loop's steps go backward.
"""

from __future__ import annotations

from collections.abc import Sequence as Numbers

import torch

from ttc import ops
from ttc.backend.lowering import Lowering
from ttc.backend.rules.matmul import core_grid, product
from ttc.backend.rules.moves import concatenated, permuted, reshaped
from ttc.calls.binary import Add, Subtract
from ttc.calls.logic import Eq, Lt
from ttc.calls.matmul import Linear
from ttc.calls.shape import Slice
from ttc.calls.ternary import Where
from ttc.errors import Refusal
from ttc.ir import FORWARD, TILE, DType, Op, Step, TensorType, Value, backward, round_up
from ttc.ops.recurrent import Recurrence


class Sequence:
    """One recurrence being lowered. `wide` is the columns of a gate: the hidden size, rounded up to whole tiles."""

    def __init__(self, op: Recurrence, to: Lowering):
        self.op, self.to = op, to
        self.count, self.batch = op.x.shape[:2]
        self.size, self.directions = self.count * self.batch, op.directions
        self.wide = op.hidden if op.gates == 1 else round_up(op.hidden, TILE)
        self.step: Step = backward(self.count) if op.reverse else FORWARD
        self.valid = self._valid()

    # ------------------------------------------------------------ weights

    def weight(self, value: Value, first: int, gates: int) -> Value:
        """Return [D, K, columns] of the gates from `first` on, `wide` each if several, from a weight [D, G*H, K]."""
        some = self._gates(value, first, gates)
        return self.derive(ops.Permute(some, (0, 2, 1)))

    def recurrent(self, value: Value, first: int, gates: int) -> Value:
        """Return the gates of `weight` on the device, [1, D, K, columns]."""
        whole = self.weight(value, first, gates)
        return self.to.upload(self.derive(ops.Reshape(whole, (1, *whole.shape))), self.to.weight_dtype)

    def projection(self, value: Value) -> Value:
        """Return [1, D, H, P] on the device of a weight [D, P, H]."""
        turned = self.derive(ops.Permute(self.static(value), (0, 2, 1)))
        return self.to.upload(self.derive(ops.Reshape(turned, (1, *turned.shape))), self.to.weight_dtype)

    def row(self, value: Value, first: int = 0, size: int = 0) -> Value:
        """Return `size` columns (0: all) of a weight [D, N] on the device as [1, D, 1, size], to be added to states."""
        static = self.static(value)
        size = size or static.shape[1]
        part = self.derive(ops.Slice(static, (0, first), (self.directions, first + size)))
        return self.to.upload(self.derive(ops.Reshape(part, (1, self.directions, 1, size))))

    def static(self, value: Value) -> Value:
        """Return a weight in the graph of derived weights; Refusal if the weight is computed in each run."""
        found = self.to.static(value)
        if found is None:
            raise Refusal(f"the weight %{value.name} of a recurrence is not known before the first run")
        return found

    def derive(self, op: Op) -> Value:
        """Add an op on static values and return the derived weight."""
        return self.to.derive(op)

    def _gates(self, value: Value, first: int, gates: int) -> Value:
        """Return [D, columns, ...] of some gates of a weight [D, G*H, ...], padded with 0 to `wide` each if several."""
        whole, hidden = self.static(value), self.op.hidden
        count, rest = whole.shape[0], whole.shape[2:]
        split = self.derive(ops.Reshape(whole, (count, self.op.gates, hidden, *rest)))
        starts, ends = (0, first, 0, *(0 for _ in rest)), (count, first + gates, hidden, *rest)
        part = self.derive(ops.Slice(split, starts, ends))
        wide = self.wide if gates > 1 else hidden
        if wide != hidden:
            part = self.derive(ops.Pad(part, ((0, 0), (0, 0), (0, wide - hidden), *((0, 0) for _ in rest))))
        return self.derive(ops.Reshape(part, (count, gates * wide, *rest)))

    # ------------------------------------------------------------ inputs of all steps

    def inputs(self, keep: Numbers[float] | None) -> Value:
        """Compute x @ w.T + bias of all steps, [T, D, B, columns]; padded steps hold `keep`, one number a gate."""
        to, count, gates = self.to, self.directions, self.op.gates
        x = reshaped(self._floats(self.op.x), (self.size, self.op.x.shape[-1]), to)
        w = self.weight(self.op.w, 0, gates)
        bias = None if self.op.bias is None else self._gates(self.op.bias, 0, gates)
        y = self._product(x, w, bias) if count == 1 else self._products(x, w, bias)
        if self.valid is not None and keep is not None:
            row = torch.tensor(keep).repeat_interleave(w.shape[-1] // gates).reshape(1, 1, -1)
            y = to.call(Where(self.valid, y, to.upload(to.constant(row))))
        return self.by_step(y)

    def by_step(self, rows: Value) -> Value:
        """Return [T, D, B, columns] of rows [D, T * B, columns]."""
        whole = reshaped(rows, (self.directions, self.count, self.batch, rows.shape[-1]), self.to)
        return permuted(whole, (1, 0, 2, 3), self.to)

    def _product(self, x: Value, w: Value, bias: Value | None) -> Value:
        """Compute one direction, [1, T * B, columns]: a linear with its bias fused."""
        to = self.to
        weight = to.upload(self.derive(ops.Reshape(w, w.shape[1:])), to.weight_dtype)
        y = to.call(
            Linear(
                x,
                weight,
                bias=to.upload(self.derive(ops.Reshape(bias, bias.shape[1:]))) if bias else None,
                core_grid=core_grid(to),
            )
        )
        return reshaped(y, (1, *y.shape), to)

    def _products(self, x: Value, w: Value, bias: Value | None) -> Value:
        """Compute both directions in one batched product, [2, T * B, columns]: x in order, and in reverse."""
        to = self.to
        if self.valid is not None:  # a NaN in the padding must not meet the reversal's product
            x = to.call(Where(self._valid_forward(self.valid), x, 0.0))
        rows = (1, self.size, x.shape[-1])
        both = concatenated([reshaped(x, rows, to), reshaped(self._reversed(x), rows, to)], 0, to)
        y = product(both, to.upload(w, to.weight_dtype), to)
        if bias is None:
            return y
        return to.call(Add(y, to.upload(self.derive(ops.Reshape(bias, (2, 1, bias.shape[1]))))))

    def _reversed(self, x: Value) -> Value:
        """Reverse T groups of rows, as [T, columns]: a product with ones on the other diagonal."""
        to = self.to
        rows = reshaped(x, (self.count, x.type.numel // self.count), to)
        if self.count == 1:
            return rows
        steps = self._steps()
        column = self.derive(ops.Reshape(steps, (self.count, 1)))
        row = self.derive(ops.Reshape(self.derive(ops.Flip(steps, (0,))), (1, self.count)))
        ones = self.derive(ops.Cast(self.derive(ops.Eq(column, row)), self.op.x.dtype))
        return product(to.upload(ones), rows, to, grid=core_grid(to))

    def _floats(self, value: Value) -> Value:
        """Return an operand in TILE, in the program's dtype."""
        return self.to.cast(self.to.tile(self.to(value)), self.to.dtype)

    # ------------------------------------------------------------ lengths

    def _steps(self) -> Value:
        """Return 0, 1, .. T - 1 as a derived weight i64[T]."""
        ones = self.derive(ops.Full(TensorType(DType.i64, (self.count,)), 1))
        one = self.derive(ops.Full(TensorType(DType.i64, (1,)), 1))
        return self.derive(ops.Sub(self.derive(ops.Cumsum(ones, 0)), one))

    def _valid(self) -> Value | None:
        """Return 1 where a step lies within its sample's length, else 0, as [D, T * B, 1]; None without lengths."""
        if self.op.lengths is None:
            return None
        to = self.to
        steps = self.derive(ops.Reshape(self._steps(), (1, self.count, 1)))
        if self.directions == 2:
            steps = self.derive(ops.Concat((steps, self.derive(ops.Flip(steps, (1,)))), 0))
        return self._rows(to.call(Lt(to.upload(steps, DType.i32), self._lengths())))

    def _lengths(self) -> Value:
        assert self.op.lengths is not None
        return reshaped(self.to.tile(self.to(self.op.lengths)), (1, 1, self.batch), self.to)

    def _rows(self, truth: Value) -> Value:
        """Return [directions, T, B] of 1 and 0 as rows in the program's dtype."""
        shape = (truth.shape[0], self.size, 1)
        return reshaped(self.to.cast(truth, self.to.dtype), shape, self.to)

    def _valid_forward(self, valid: Value) -> Value:
        """Return [T * B, 1] of the forward direction."""
        first = valid
        if self.directions == 2:
            first = self.to.call(Slice(valid, (0, 0, 0), (1, self.size, 1)))
        return reshaped(first, (self.size, 1), self.to)

    # ------------------------------------------------------------ results

    def forward(self, ys: Value) -> Value:
        """Return the forward direction's part of the outputs that the loop stacked, [T * B, P]."""
        return self._direction(ys, 0)

    def output(self, ys: Value) -> Value:
        """Return y [T, B, D*P] of the outputs that the loop stacked, 0 in the padding."""
        to = self.to
        y = self.forward(ys)
        if self.directions == 2:
            second = reshaped(self._reversed(self._direction(ys, 1)), y.shape, to)
            y = concatenated([y, second], 1, to)
        if self.valid is not None:
            y = to.call(Where(self._valid_forward(self.valid), y, 0.0))
        return reshaped(y, (self.count, self.batch, y.shape[-1]), to)

    def _direction(self, ys: Value, direction: int) -> Value:
        """Return [T * B, P] of one direction of [T, D, B, P]."""
        if self.directions == 2:
            ends = (self.count, direction + 1, *ys.shape[2:])
            ys = self.to.call(Slice(ys, (0, direction, 0, 0), ends))
        return reshaped(ys, (self.size, ys.shape[-1]), self.to)

    def final(self, carried: Value) -> Value:
        """Return a final state [D, B, features] of the state that the loop carried to its end."""
        return reshaped(carried, carried.shape[1:], self.to)

    def final_output(self, ys: Value, carried: Value) -> Value:
        """Return the final state [D, B, P]: forward each sample's last valid output, backward the carried state."""
        to, width = self.to, carried.shape[-1]
        steps = to.upload(self.derive(ops.Reshape(self._steps(), (1, self.count, 1))), DType.i32)
        # h[length - 1] = the sum over steps of y[t] * (t == length - 1), as a row of ones @ the chosen outputs.
        last = self._rows(to.call(Eq(steps, to.call(Subtract(self._lengths(), 1)))))
        chosen = to.call(Where(reshaped(last, (self.size, 1), to), self.forward(ys), 0.0))
        rows = reshaped(chosen, (self.count, self.batch * width), to)
        ones = to.upload(self.derive(ops.Full(TensorType(self.op.x.dtype, (1, self.count)), 1.0)))
        forward = reshaped(product(ones, rows, to), (1, self.batch, width), to)
        if self.directions == 1:
            return forward
        second = to.call(Slice(carried, (0, 1, 0, 0), (1, *carried.shape[1:])))
        return concatenated([forward, reshaped(second, forward.shape, to)], 0, to)

    def initial(self, state: Value | None, size: int) -> Value:
        """Return a given state, or zeros, as [1, D, B, size]."""
        shape = (1, self.directions, self.batch, size)
        if state is None:
            return self.to.upload(self.to.constant(torch.zeros(shape)))
        return reshaped(self._floats(state), shape, self.to)
