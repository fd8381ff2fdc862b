"""Packed sequences through torch.export: their lengths stay with them as a tensor, and rows stay where they are.

torch packs rows of all samples into a tensor whose size depends on the lengths, which torch.export refuses. While
`lengths_kept()`, `pack_padded_sequence` gives a `PackedSequence` of a padded tensor beside its lengths; nn.LSTM, nn.GRU
and nn.RNN hand both to an op that is one node of the trace; `pad_packed_sequence` gives the padded tensor back.

Sizes are static, so where lengths are known only when running, the padded tensor has the steps that went in, with
`padding_value` from each sample's end on; torch cuts the tensor off after the longest sample. Both are alike where the
longest sample fills the tensor, or `total_length` says so. Samples need not be sorted: nothing is moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import rnn
from torch.nn.utils.rnn import PackedSequence

import ttc.frontend.export.recurrent_ops  # noqa: F401  (defines torch.ops.ttc)
from ttc.errors import Refusal

KINDS = ("lstm", "gru", "rnn_tanh", "rnn_relu")


NO_RESULT = (
    "a packed sequence, whose size depends on its lengths, cannot be its result: return what pad_packed_sequence gives"
)


class Unsized:
    """A stand-in for a tensor whose size depends on lengths: operations not used by torch's own modules are refused."""

    def _refuse(self, *operands: Any) -> Any:
        raise Refusal(
            "the rows of a packed sequence (PackedSequence.data, .batch_sizes) are as many as its lengths add up to, "
            "which is no fixed size: use what pad_packed_sequence gives"
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __matmul__ = __neg__ = __len__ = __iter__ = __getitem__ = _refuse

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._refuse()

    @classmethod
    def __torch_function__(cls, function: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return Unsized()._refuse()


@dataclass(frozen=True)
class Rows(Unsized):
    """The stand-in for `PackedSequence.data`: padded samples [T, B, *] and their lengths i64[B].

    Dtype, device and sizes are those of the packed rows [N, *], which torch's recurrent modules ask for.
    """

    padded: Tensor
    lengths: Tensor
    known: tuple[int, ...] | None
    ended: bool = False  # whether padded is known to be zero from each sample's end on

    dtype = property(lambda self: self.padded.dtype)
    device = property(lambda self: self.padded.device)

    def dim(self) -> int:
        return self.padded.dim() - 1

    def size(self, dim: int = 0) -> int:
        return self._refuse() if dim % self.dim() == 0 else self.padded.size(dim % self.dim() + 1)


@dataclass(frozen=True)
class BatchSizes(Unsized):
    """The stand-in for `PackedSequence.batch_sizes`: the batch and the steps, without the samples of later steps."""

    samples: int
    steps: int

    device = torch.device("cpu")

    def size(self, dim: int) -> int:
        return self.steps

    def __getitem__(self, step: int) -> int:
        return self.samples if step == 0 else self._refuse()


def pack(input: Tensor, lengths: Any, batch_first: bool, enforce_sorted: bool) -> PackedSequence:
    """Replace torch's `pack_padded_sequence`: pair the padded tensor with its lengths, without packing."""
    padded = input.transpose(0, 1) if batch_first else input
    known = None if isinstance(lengths, Tensor) else tuple(int(length) for length in lengths)
    if known is not None:
        _check(known, padded, enforce_sorted)
        padded = padded[: max(known)]
    if not isinstance(lengths, Tensor):
        lengths = torch.tensor(known, dtype=torch.int64)
    rows = Rows(padded, lengths.to(torch.int64), known)
    return PackedSequence(rows, BatchSizes(padded.shape[1], padded.shape[0]))  # type: ignore[arg-type]


def pad(sequence: PackedSequence, batch_first: bool, value: float, total: int | None) -> tuple[Tensor, Tensor]:
    """Replace torch's `pad_packed_sequence`: return padded samples and their lengths."""
    rows: Any = sequence.data
    x, steps = rows.padded, rows.padded.shape[0]
    if total is not None and total < steps and rows.known is not None:
        raise ValueError(
            f"Expected total_length to be at least the length of the longest sequence, {steps}, got {total}"
        )
    if total is not None and total != steps:
        x = torch.nn.functional.pad(x, (0, 0) * (x.dim() - 1) + (0, total - steps))
    if value or not rows.ended:
        after = torch.arange(x.shape[0]).unsqueeze(1) >= rows.lengths
        x = x.masked_fill(after.reshape(*after.shape, *(1,) * (x.dim() - 2)), value)
    return (x.transpose(0, 1) if batch_first else x), rows.lengths


def _check(lengths: Sequence[int], padded: Tensor, enforce_sorted: bool) -> None:
    """Check lengths as torch does before packing."""
    if len(lengths) != padded.shape[1]:
        raise RuntimeError(f"Expected `len(lengths)` to be the batch size {padded.shape[1]}, got {len(lengths)}")
    if min(lengths) <= 0 or max(lengths) > padded.shape[0]:
        raise RuntimeError(f"lengths must be from 1 to {padded.shape[0]}, got {list(lengths)}")
    if enforce_sorted and list(lengths) != sorted(lengths, reverse=True):
        raise RuntimeError("`lengths` array must be sorted in decreasing order when `enforce_sorted` is True")


# ------------------------------------------------------------ in torch's place


def _copy(function: FunctionType) -> FunctionType:
    return FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)


OWN_PACK, OWN_PAD = _copy(rnn.pack_padded_sequence), _copy(rnn.pad_packed_sequence)
"""torch's own functions, which other threads go on using during an export."""

EXPORTS: ContextVar[bool] = ContextVar("exports", default=False)
"""True while this thread is exporting."""


@contextmanager
def lengths_kept() -> Iterator[None]:
    """Let torch's functions of packed sequences, and its recurrences, keep lengths: for a trace in this thread.

    One thread at a time: every replaced function is put back as found.
    """
    pack = _replaced_code(rnn.pack_padded_sequence, _pack_padded_sequence.__code__)
    pad = _replaced_code(rnn.pad_packed_sequence, _pad_packed_sequence.__code__)
    with pack, pad, _replaced_recurrences():
        token = EXPORTS.set(True)
        try:
            yield
        finally:
            EXPORTS.reset(token)


def _pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    from ttc.frontend.export import packed  # this code runs among torch's globals

    function = packed.pack if packed.EXPORTS.get() else packed.OWN_PACK
    return function(input, lengths, batch_first, enforce_sorted)


def _pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    from ttc.frontend.export import packed

    function = packed.pad if packed.EXPORTS.get() else packed.OWN_PAD
    return function(sequence, batch_first, padding_value, total_length)


@contextmanager
def _replaced_code(function: FunctionType, code: CodeType) -> Iterator[None]:
    """Replace a function's code, so under every name by which users have imported the function."""
    own, function.__code__ = function.__code__, code
    try:
        yield
    finally:
        function.__code__ = own


@contextmanager
def _replaced_recurrences() -> Iterator[None]:
    """Replace `torch._VF.lstm` and its like, which torch's modules call, by our ops."""
    functions: Any = torch._VF
    for kind in KINDS:
        setattr(functions, kind, _recurrence(getattr(torch.ops.ttc, kind), getattr(functions, kind)))
    try:
        yield
    finally:
        for kind in KINDS:
            delattr(functions, kind)  # what remains is torch's own


def _recurrence(op: Any, own: Callable) -> Callable:
    def recurrence(x: Any, *operands: Any) -> Any:
        if not EXPORTS.get():
            return own(x, *operands)
        if not isinstance(x, Rows):
            return op(x, None, *operands)
        _, *rest = operands
        y, *states = op(x.padded, x.lengths, *rest, False)
        return Rows(y, x.lengths, x.known, ended=True), *states

    return recurrence
