"""A recurrence's operands brought into the form of its loop, and the results out of it.

In the loop everything is [T, D, B, features], TILE, so that step t is one slice. In two directions the second one is
stored in reverse: its step t stands for the position T - 1 - t. A single backward direction is stored in order, and
the loop's steps go backward.
"""

from __future__ import annotations

from collections.abc import Sequence as Numbers

import torch

from ttc import ops
from ttc.backend.lowering import Lowering
from ttc.backend.matmul import core_grid, product
from ttc.backend.moves import concatenated, permuted, reshaped
from ttc.calls.binary import Add, Eq, Lt, Multiply, Subtract, Where
from ttc.calls.call import ComputeKernelConfig
from ttc.calls.matmul import Linear
from ttc.calls.shape import Slice
from ttc.errors import Refusal
from ttc.ir import FORWARD, TILE, DType, Op, Step, Value, backward, round_up
from ttc.ops.recurrent import Recurrence


class Sequence:
    """One recurrence being lowered. `wide` is the columns of a gate: hidden, rounded up to whole tiles."""

    def __init__(self, op: Recurrence, to: Lowering):
        self.op, self.to = op, to
        self.count, self.batch = op.x.shape[:2]
        self.directions = op.directions
        self.wide = op.hidden if op.gates == 1 else round_up(op.hidden, TILE)
        self.step: Step = backward(self.count) if op.reverse else FORWARD
        self.valid = self._valid()

    # ------------------------------------------------------------ weights

    def weight(self, value: Value, first: int, gates: int) -> Value:
        """[D, K, columns] of the gates from `first` on, `wide` each if several, from a weight [D, G*H, K]."""
        some = self._gates(value, first, gates)
        return self.derive(ops.Permute(some, (0, 2, 1)))

    def recurrent(self, value: Value, first: int, gates: int) -> Value:
        """Such a weight on the device, [1, D, K, columns]."""
        whole = self.weight(value, first, gates)
        return self.to.upload(self.derive(ops.Reshape(whole, (1, *whole.shape))), self.to.weight_dtype)

    def projection(self, value: Value) -> Value:
        """[1, D, H, P] on the device of a weight [D, P, H]."""
        turned = self.derive(ops.Permute(self.static(value), (0, 2, 1)))
        return self.to.upload(self.derive(ops.Reshape(turned, (1, *turned.shape))), self.to.weight_dtype)

    def row(self, value: Value, first: int = 0, size: int = 0) -> Value:
        """`size` columns (0: all) of a weight [D, N] on the device as [1, D, 1, size], to be added to states."""
        static = self.static(value)
        size = size or static.shape[1]
        part = self.derive(ops.Slice(static, (0, first), (self.directions, first + size), (1, 1)))
        return self.to.upload(self.derive(ops.Reshape(part, (1, self.directions, 1, size))))

    def static(self, value: Value) -> Value:
        """A weight in the graph of derived weights; Refusal if it is computed in each run."""
        found = self.to.static(value)
        if found is None:
            raise Refusal(f"the weight %{value.name} of a recurrence is not known before the first run")
        return found

    def derive(self, op: Op) -> Value:
        """A derived weight."""
        return self.to.derive(op)

    def _gates(self, value: Value, first: int, gates: int) -> Value:
        """[D, columns, ...] of some gates of a weight [D, G*H, ...], padded with 0 to `wide` each if several."""
        whole, hidden = self.static(value), self.op.hidden
        count, rest = whole.shape[0], whole.shape[2:]
        split = self.derive(ops.Reshape(whole, (count, self.op.gates, hidden, *rest)))
        starts, ends = (0, first, 0, *(0 for _ in rest)), (count, first + gates, hidden, *rest)
        part = self.derive(ops.Slice(split, starts, ends, (1,) * len(ends)))
        wide = self.wide if gates > 1 else hidden
        if wide != hidden:
            part = self.derive(ops.Pad(part, ((0, 0), (0, 0), (0, wide - hidden), *((0, 0) for _ in rest))))
        return self.derive(ops.Reshape(part, (count, gates * wide, *rest)))

    # ------------------------------------------------------------ inputs of all steps

    def inputs(self, keep: Numbers[float] | None) -> Value:
        """x @ w.T + bias of all steps and gates, [T, D, B, columns]; at padded steps the numbers `keep`, one a gate."""
        to, count, batch, gates = self.to, self.count, self.batch, self.op.gates
        x = to.tile(to(self.op.x))
        w = self.weight(self.op.w, 0, gates)
        bias = None if self.op.bias is None else self._gates(self.op.bias, 0, gates)
        if self.directions == 1:
            y = reshaped(self._product(x, w, bias), (count, 1, batch, w.shape[-1]), to)
        else:
            y = to.call(Add(y, to.upload(self._rows(bias)))) if (y := self._products(x, w)) and bias else y
            y = permuted(reshaped(y, (2, count, batch, w.shape[-1]), to), (1, 0, 2, 3), to)
        if self.valid is None or keep is None:
            return y
        row = torch.tensor(keep).repeat_interleave(w.shape[-1] // gates).reshape(1, 1, 1, -1)
        return to.call(Where(self.valid, y, to.upload(to.constant(row))))

    def _rows(self, bias: Value) -> Value:
        return self.derive(ops.Reshape(bias, (self.directions, 1, bias.shape[1])))

    def _product(self, x: Value, w: Value, bias: Value | None) -> Value:
        """One direction: a linear with its bias fused."""
        to = self.to
        weight = to.upload(self.derive(ops.Reshape(w, w.shape[1:])), to.weight_dtype)
        return to.call(
            Linear(
                reshaped(x, (self.count * self.batch, x.shape[-1]), to),
                weight,
                bias=to.upload(self.derive(ops.Reshape(bias, bias.shape[1:]))) if bias else None,
                compute_kernel_config=ComputeKernelConfig(),
                core_grid=core_grid(to),
            )
        )

    def _products(self, x: Value, w: Value) -> Value:
        """Both directions in one batched product: x in order, and in reverse."""
        to, size = self.to, self.count * self.batch
        if self.valid is not None:  # what is not a number in the padding must not meet the reversal's product
            first = self._direction(self.valid, 0)
            x = to.call(Where(reshaped(first, (self.count, self.batch, 1), to), x, 0.0))
        rows = reshaped(x, (1, size, x.shape[-1]), to)
        both = concatenated([rows, reshaped(self._reversed(x), rows.shape, to)], 0, to)
        return product(both, to.upload(w, to.weight_dtype), to)

    def _reversed(self, x: Value) -> Value:
        """[T, ...] in reverse order as [T, columns], by a product with ones on the other diagonal: exact in bf16."""
        to = self.to
        rows = reshaped(x, (self.count, x.type.numel // self.count), to)
        if self.count == 1:
            return rows
        reversal = to.upload(to.constant(torch.eye(self.count).flip(0)))
        return product(reversal, rows, to, grid=core_grid(to))

    def _direction(self, x: Value, direction: int) -> Value:
        """[T, 1, B, features] of [T, D, B, features]."""
        shape = (x.shape[0], 1, *x.shape[2:])
        ends = (shape[0], direction + 1, *shape[2:])
        return self.to.call(Slice(x, (0, direction, 0, 0), ends, (1, 1, 1, 1)))

    # ------------------------------------------------------------ lengths

    def _valid(self) -> Value | None:
        """1 where a step lies within its sample's length, else 0: [T, D, B, 1]; None if samples have no lengths."""
        if self.op.lengths is None:
            return None
        return self.to.cast(self.to.call(Lt(self._positions(), self._lengths())), self.to.dtype)

    def _lengths(self) -> Value:
        assert self.op.lengths is not None
        return reshaped(self.to.tile(self.to(self.op.lengths)), (1, 1, self.batch, 1), self.to)

    def _positions(self) -> Value:
        """The position that each step stands for, i32 [T, D, 1, 1]."""
        steps = torch.arange(self.count, dtype=torch.int64)
        each = torch.stack([steps, steps.flip(0)][: self.directions], 1)
        return self.to.upload(self.to.constant(each.reshape(self.count, self.directions, 1, 1)), DType.i32)

    def _last(self) -> Value:
        """1 where a step is its sample's last, else 0: [T, D, B, 1]."""
        to = self.to
        last = to.call(Subtract(self._lengths(), 1))
        if self.directions == 2:
            forward = to.constant(torch.tensor([1, 0]).reshape(1, 2, 1, 1))
            last = to.call(Multiply(to.upload(forward, DType.i32), last))
        return to.cast(to.call(Eq(self._positions(), last)), to.dtype)

    # ------------------------------------------------------------ results

    def output(self, ys: Value) -> Value:
        """y [T, B, D*P] from what the loop stacked, 0 in the padding."""
        to, count, batch = self.to, self.count, self.batch
        if self.valid is not None:
            ys = to.call(Where(self.valid, ys, 0.0))
        if self.directions == 1:
            return reshaped(ys, (count, batch, ys.shape[-1]), to)
        first = reshaped(self._direction(ys, 0), (count * batch, ys.shape[-1]), to)
        second = reshaped(self._reversed(self._direction(ys, 1)), first.shape, to)
        return reshaped(concatenated([first, second], 1, to), (count, batch, 2 * ys.shape[-1]), to)

    def final(self, carried: Value) -> Value:
        """A final state [D, B, features] from the one that the loop carried to its end."""
        return reshaped(carried, carried.shape[1:], self.to)

    def final_output(self, ys: Value) -> Value:
        """The final state [D, B, P] from what the loop stacked: each sample's at its last step."""
        to = self.to
        chosen = to.call(Where(self._last(), ys, 0.0))
        rows = reshaped(chosen, (self.count, chosen.type.numel // self.count), to)
        ones = to.upload(to.constant(torch.ones(1, self.count)))
        return reshaped(product(ones, rows, to), ys.shape[1:], to)

    def initial(self, state: Value | None, size: int) -> Value:
        """A given state, or zeros, as [1, D, B, size]."""
        shape = (1, self.directions, self.batch, size)
        if state is None:
            return self.to.upload(self.to.constant(torch.zeros(shape)))
        return reshaped(self.to.tile(self.to(state)), shape, self.to)
