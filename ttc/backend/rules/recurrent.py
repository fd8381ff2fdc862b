"""Lowering of recurrences: one product for the inputs of all steps, then a loop over the recurrent part.

Both directions run in one loop. Where samples have lengths, padding leaves the state unchanged, by the cheapest exact
way: the inputs of gates at padded steps are replaced, once, before the loop, by numbers that keep the state (GRU z =
1, r = 0, n = 0; LSTM f = 1, i = 0 for the cell, which also keeps a state of zeros; RNN 0, likewise); where that is
not enough, the loop chooses between the new and the old state in each step. A forward LSTM's or RNN's last valid
state is taken from its outputs, so that no step has to keep the state.

The formulas are those of torch.nn.RNN, LSTM and GRU, with ONNX's activations, clipping, peepholes and coupled gates.
"""

from __future__ import annotations

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.rules.loop import LoopMaker, own_copy, stack
from ttc.backend.rules.matmul import core_grid
from ttc.backend.rules.sequence import Sequence
from ttc.calls.binary import Add, Multiply
from ttc.calls.call import FUSED, UnaryWithParam
from ttc.calls.logic import Gt
from ttc.calls.loop import Put, Take
from ttc.calls.matmul import Matmul
from ttc.calls.shape import Slice
from ttc.calls.ternary import Lerp, Where
from ttc.calls.unary import Clamp, Elu, LeakyRelu, Softplus, Softsign
from ttc.ir import Value
from ttc.ops.activation import Activation, activation_named

KEEP = 1e4
"""Pre-activation that makes a sigmoid 1 (-KEEP: 0) whatever states of at most 1 add to it."""

Pending = tuple[Value, tuple[UnaryWithParam, ...]]
"""A value, and the function that its reader is to apply first."""


class Steps:
    """The body of a recurrence's loop in the making, in which the steps of LSTM, GRU and RNN are written.

    `held`: padded steps choose the old state; otherwise the inputs of padded steps keep the state.
    """

    def __init__(self, sequence: Sequence, states: dict[str, Value], keep: tuple[float, ...] | None, **captured: Value):
        to, self.op, self.sequence = sequence.to, sequence.op, sequence
        self.held = sequence.valid is not None and keep is None
        scanned = {"x": sequence.inputs(keep)}
        if self.held and sequence.valid is not None:
            scanned["valid"] = sequence.by_step(sequence.valid)
        carried = {name: own_copy(value, to) for name, value in states.items()}
        ys = stack(sequence.count, states["h"].shape, to.dtype, to)
        self.maker = LoopMaker(to, sequence.count, carried, scanned, {"y": ys}, captured)
        self.inner, self.call = self.maker.inner, self.maker.call

    def input(self, columns: tuple[int, int] | None = None) -> Value:
        """Return the inputs of this step, or some columns of them."""
        return self.call(Take(self.inner["x"], columns=columns, step=self.sequence.step))

    def gate(self, x: Value, number: int) -> Value:
        """Slice one gate [1, D, B, H] of several."""
        first = number * self.sequence.wide
        ends = (*x.shape[:-1], first + self.op.hidden)
        return self.call(Slice(x, (0, 0, 0, first), ends))

    def product(self, x: Value, weight: str) -> Value:
        """Compute x @ a captured weight, for each direction; one direction's is a matrix, and names the cores."""
        grid = core_grid(self.sequence.to) if self.sequence.directions == 1 else None
        return self.call(Matmul(x, self.inner[weight], core_grid=grid))

    def pending(self, x: Value, activation: str) -> Pending:
        """Return x to be activated by its reader, or activated now where TTNN cannot fuse the activation."""
        if activation in FUSED:
            return x, (FUSED[activation],)
        return self.activated(x, activation), ()

    def activated(self, x: Value, activation: str) -> Value:
        """Apply an activation that is a call of its own."""
        match activation_named(activation):
            case Activation("softplus"):
                return self.call(Softplus(x))
            case Activation("softsign"):
                return self.call(Softsign(x))
            case Activation("elu", (alpha,)):
                return self.call(Elu(x, alpha=alpha))
            case Activation("leaky_relu", (slope,)):
                return self.call(LeakyRelu(x, slope))
            case Activation("thresholded_relu", (alpha,)):
                return self.call(Where(self.call(Gt(x, alpha)), x, 0.0))
            case Activation("scaled_tanh", (alpha, beta)):
                return self.times((self.call(Multiply(x, beta)), (FUSED["tanh"],)), (alpha, ()))
            case Activation(name, (alpha, beta)):
                line = self.call(Add(self.call(Multiply(x, alpha)), beta))
                return line if name == "affine" else self.call(Clamp(line, min=0.0, max=1.0))
        raise AssertionError(f"{activation} is fused or stands above")

    def clipped(self, x: Value) -> Value:
        """Clip x as the op demands before an activation."""
        return self.call(Clamp(x, min=-self.op.clip, max=self.op.clip)) if self.op.clip else x

    def sum(self, a: Value, b: Value, activation: str, into: Value | None = None) -> Value:
        """Compute activation(clip(a + b))."""
        if self.op.clip or activation not in FUSED:
            x = self.clipped(self.call(Add(a, b)))
            return self.times(self.pending(x, activation), None, into)
        return self.call(Add(a, b, activations=(FUSED[activation],), output_tensor=into))

    def times(self, a: Pending, b: Pending | tuple[float, tuple[()]] | None, into: Value | None = None) -> Value:
        """Compute a * b, both activated on the way; b None: a alone."""
        other, functions = b or (1.0, ())
        return self.call(
            Multiply(
                a[0],
                other,
                output_tensor=into,
                input_tensor_a_activations=a[1],
                input_tensor_b_activations=functions,
            )
        )

    def seen(self, x: Value, peephole: str, cell: Value) -> Value:
        """Compute clip(x + peephole * cell)."""
        return self.clipped(self.call(Add(x, self.call(Multiply(cell, self.inner[peephole])))))

    def into(self, state: str) -> Value | None:
        """Return the buffer for the last call of a new state: the state's own, unless padded steps still choose."""
        return None if self.held else self.inner[state]

    def kept(self, new: Value, state: str) -> Value:
        """Return the new state in its buffer: chosen where padded steps hold the old state, else as it was written."""
        if not self.held:
            return new
        old = self.inner[state]
        valid = self.call(Take(self.inner["valid"], step=self.sequence.step))
        return self.call(Where(valid, new, old, output_tensor=old))

    def finish(self, *states: Value) -> tuple[Value, ...]:
        """Stack the first state and return the loop's results: final states, then the stack."""
        put = self.call(Put(self.inner["y"], states[0], step=self.sequence.step))
        return self.maker.finish((*states, put))


def needs_state(sequence: Sequence) -> bool:
    """Return whether a backward direction starts, at padded steps, from a state that is not zero."""
    op = sequence.op
    given = op.h is not None or getattr(op, "c", None) is not None
    return given and (op.reverse or op.directions == 2)


@lowers(ops.Rnn)
def rnn(op: ops.Rnn, to: Lowering) -> tuple[Value, ...]:
    """Lower h = tanh(x + h @ r): a slice, a product, a sum and a write in each step."""
    sequence = Sequence(op, to)
    # At a padded step h = f(0 + 0 @ r) = f(0): a state of zeros stays if f(0) = 0.
    exact = not needs_state(sequence) and activation_named(op.activations[0]).keeps_zero
    state = sequence.initial(op.h, op.hidden)
    steps = Steps(sequence, {"h": state}, (0.0,) if exact else None, r=sequence.recurrent(op.r, 0, 1))
    h = steps.inner["h"]
    new = steps.sum(steps.product(h, "r"), steps.input(), op.activations[0], steps.into("h"))
    h, ys = steps.finish(steps.kept(new, "h"))
    return sequence.output(ys), final_state(sequence, steps, h, ys)


def final_state(sequence: Sequence, steps: Steps, h: Value, ys: Value) -> Value:
    """Return the last valid state: the carried one, unless forward steps went on in the padding."""
    went_on = sequence.valid is not None and not steps.held and not sequence.op.reverse
    return sequence.final_output(ys, h) if went_on else sequence.final(h)


@lowers(ops.Lstm)
def lstm(op: ops.Lstm, to: Lowering) -> tuple[Value, ...]:
    """Lower an LSTM, i, f, g, o in one product: at most eight device programs a step if gates are views."""
    sequence = Sequence(op, to)
    # At a padded step i = sigmoid(-KEEP) = 0, f = sigmoid(KEEP) = 1 and g = 0, so c' = f * c + i * g = c; and h of a
    # state of zeros stays zero, since o * tanh(0) = 0.
    exact = not needs_state(sequence) and not op.clip and op.peephole is None
    exact = (
        exact
        and op.activations[0] == "sigmoid"
        and all(activation_named(name).keeps_zero for name in op.activations[1:])
    )
    states = {"h": sequence.initial(op.h, op.state), "c": sequence.initial(op.c, op.hidden)}
    captured = {"r": sequence.recurrent(op.r, 0, 4)}
    if op.peephole is not None:
        captured |= {f"see_{name}": sequence.row(op.peephole, n * op.hidden, op.hidden) for n, name in enumerate("ifo")}
    if op.projection is not None:
        captured["projection"] = sequence.projection(op.projection)
    steps = Steps(sequence, states, (-KEEP, KEEP, 0.0, 0.0) if exact else None, **captured)
    h, c = _lstm_step(op, steps)
    h, c, ys = steps.finish(h, c)
    return sequence.output(ys), final_state(sequence, steps, h, ys), sequence.final(c)


def _lstm_step(op: ops.Lstm, steps: Steps) -> tuple[Value, Value]:
    """Return the new states, in the buffers of the old."""
    to_gate, to_cell, to_state = op.activations
    h, c = steps.inner["h"], steps.inner["c"]
    # The pre-activations of all gates: x @ w.T + b, computed before the loop, and h @ r.T of this step.
    total = steps.call(Add(steps.product(h, "r"), steps.input()))
    if op.peephole is None:
        total = steps.clipped(total)
    i, f, g, o = (steps.gate(total, number) for number in range(4))
    if op.peephole is not None:  # i and f see the old cell, i + p_i * c and f + p_f * c; o sees the new one below
        i, f, g = steps.seen(i, "see_i", c), steps.seen(f, "see_f", c), steps.clipped(g)
    if op.coupled:
        # f = 1 - i, so c' = (1 - i) * c + i * g = lerp(c, g, i)
        i, g = (steps.times(steps.pending(x, name), None) for x, name in ((i, to_gate), (g, to_cell)))
        c = steps.kept(steps.call(Lerp(c, g, i, output_tensor=steps.into("c"))), "c")
    else:
        # c' = f * c + i * g, the activations of i, g and f inside the products
        entering = steps.times(steps.pending(i, to_gate), steps.pending(g, to_cell))
        staying = steps.times(steps.pending(f, to_gate), (c, ()))
        c = steps.kept(steps.call(Add(staying, entering, output_tensor=steps.into("c"))), "c")
    if op.peephole is not None:
        o = steps.seen(o, "see_o", c)
    # h' = o * tanh(c'), then (o * tanh(c')) @ projection where the LSTM has one
    gate, cell = steps.pending(o, to_gate), steps.pending(c, to_state)
    if op.projection is None:
        return steps.kept(steps.times(gate, cell, steps.into("h")), "h"), c
    state = steps.product(steps.times(gate, cell), "projection")
    return steps.kept(state if steps.held else steps.times((state, ()), None, h), "h"), c


@lowers(ops.Gru)
def gru(op: ops.Gru, to: Lowering) -> tuple[Value, ...]:
    """Lower a GRU, r and z in one product, n in another: at most nine device programs a step if gates are views."""
    sequence = Sequence(op, to)
    # At a padded step r = sigmoid(-KEEP) = 0 and z = sigmoid(KEEP) = 1, so h' = (1 - z) * n + z * h = h.
    exact = not op.clip and op.activations[0] == "sigmoid" and activation_named(op.activations[1]).keeps_zero
    captured = {"gates": sequence.recurrent(op.r, 0, 2), "n": sequence.recurrent(op.r, 2, 1)}
    if op.bias_n is not None:
        captured["bias_n"] = sequence.row(op.bias_n)
    states = {"h": sequence.initial(op.h, op.hidden)}
    steps = Steps(sequence, states, (-KEEP, KEEP, 0.0) if exact else None, **captured)
    new = _gru_step(op, steps)
    h, ys = steps.finish(steps.kept(new, "h"))
    return sequence.output(ys), sequence.final(h)


def _gru_step(op: ops.Gru, steps: Steps) -> Value:
    """Return the new state: in the buffer of the old, unless the old state is held."""
    h, wide = steps.inner["h"], steps.sequence.wide
    # r, z = sigmoid(x @ w_rz.T + b + h @ r_rz.T)
    both = steps.sum(steps.product(h, "gates"), steps.input((0, 2 * wide)), op.activations[0])
    r, z = steps.gate(both, 0), steps.gate(both, 1)
    if op.reset_after:  # torch, and ONNX's linear_before_reset: r * (h @ r_n.T + b_n)
        seen = steps.product(h, "n")
        seen = seen if op.bias_n is None else steps.call(Add(seen, steps.inner["bias_n"]))
        seen = steps.call(Multiply(seen, r))
    else:  # Cho et al. 2014: (r * h) @ r_n.T
        seen = steps.product(steps.call(Multiply(h, r)), "n")
    n = steps.sum(seen, steps.input((2 * wide, 2 * wide + op.hidden)), op.activations[1])
    # h' = (1 - z) * n + z * h = lerp(n, h, z)
    return steps.call(Lerp(n, h, z, output_tensor=steps.into("h")))
