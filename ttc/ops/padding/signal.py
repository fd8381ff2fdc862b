"""Transfer functions of Fourier transforms of frames."""

from __future__ import annotations

from dataclasses import replace

from ttc.errors import Refusal
from ttc.ir import TensorType, Value
from ttc.ops import signal
from ttc.ops.binary import Div
from ttc.ops.constant import Full
from ttc.ops.padding.abstract import AbstractValue, dim_of
from ttc.ops.padding.transfer import Flow, transfers
from ttc.ops.shape import Expand, Reshape
from ttc.ops.unary import Clamp

LEAST_ENVELOPE = 1e-11
"""The least sum of squared windows that torch.istft divides by."""


@transfers(signal.Stft)
def stft(op: signal.Stft, flow: Flow) -> tuple[tuple[Value, ...], tuple[AbstractValue, ...]]:
    """Make padding finite: frames hold valid samples alone, but as a product of blocks would compute NaN * 0."""
    x = flow.finite(op.x, "frames along the length") if 1 in flow.abstract(op.x).padded_dims else op.x
    abstract = flow.abstract(x)
    axis = abstract.axis(1)
    if axis.sample:
        raise Refusal("it mixes samples of the batch, which have lengths of their own")
    n_fft = op.window.shape[0]
    if axis.length:
        flow.require(axis.length, n_fft)
    batch = tuple(f.bare() for f in abstract.dims[0])
    result = AbstractValue((batch, *map(dim_of, flow.results[0].shape[1:])), abstract.taint)
    return flow(replace(op, x=x)), (result, result)


@transfers(signal.Istft, varying=("length",))
def istft(op: signal.Istft, flow: Flow) -> tuple[Value, AbstractValue]:
    """Mask frames beyond the length, both their samples and their share of the windows that samples are divided by."""
    abstract = flow.abstract(op.real)
    samples = dim_of(flow.results[0].shape[1])
    if 1 in abstract.padded_dims or any(f.sample for d in (1, 2) for f in abstract.dims[d]):
        raise Refusal("its frequencies are a length, or the batch")
    if 2 not in abstract.padded_dims:
        if any(factor.length for factor in samples):
            raise Refusal("its length is another than that of its frames")
        return flow(op), AbstractValue((abstract.dims[0], samples), abstract.taint | flow.abstract(op.imag).taint)
    why = "frames beyond the length would be added to the last ones"
    real, imag = (flow.masked(part, [2], 0.0, why) for part in (op.real, op.imag))
    found = flow(replace(op, real=real, imag=imag))
    share = flow(Clamp(_share(op, abstract, flow), low=LEAST_ENVELOPE))
    taint = flow.abstract(real).taint | flow.abstract(imag).taint
    batch = tuple(f.bare() for f in abstract.dims[0])
    return flow(Div(found, share)), AbstractValue((batch, samples), taint)


def _share(op: signal.Istft, abstract: AbstractValue, flow: Flow) -> Value:
    """Divide the sum of the squared windows of valid frames by the sum of all frames.

    The quotient is the op's result for the spectrum of the window in each valid frame, and zeros in the others.
    """
    n_fft = op.window.shape[0]
    ones = flow(Full(TensorType(op.window.dtype, (n_fft,)), 1.0))
    row = flow(Reshape(op.window, (1, n_fft)))
    spectrum = flow(signal.Stft(row, ones, n_fft, normalized=op.normalized))
    own = AbstractValue((abstract.dims[0], abstract.dims[1], tuple(f.bare() for f in abstract.dims[2])))
    parts = []
    for part in spectrum:
        wide = flow(Expand(part, op.real.shape))
        flow.state(wide, own)
        parts.append(flow.masked(wide, [2], 0.0, "the windows of frames beyond the length"))
    return flow(replace(op, real=parts[0], imag=parts[1]))
