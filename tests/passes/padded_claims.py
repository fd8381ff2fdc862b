"""What padding safety claims of each value, held against the value's own numbers: its fills, and that it is finite."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ttc import ops
from ttc.ir import Value
from ttc.ops.padding import AbstractValue, Factor
from ttc.passes.padding import Padded


def wrong_claims(padded: Padded, inputs: Mapping[str, Tensor], lengths: Mapping[str, Sequence[int]]) -> list[str]:
    """Each claim that the numbers of a run contradict, in order; `lengths` has one number for each sample.

    That padding is finite is claimed where the elements that a value is made of are: a network's own infinity may
    reach its padding, as it reaches its result.
    """
    sizes = [{name: own[n] for name, own in lengths.items()} for n in range(max(map(len, lengths.values())))]
    given = {**inputs, **{padded.names[name]: torch.tensor(own) for name, own in lengths.items()}}
    wrong: list[str] = []
    infinite: set[Value] = set()
    """Those whose own elements are not finite, or whose padding is not for such an operand."""
    for value, tensor in ops.steps(padded.graph, given):
        operands = value.op.operands()
        own = not infinite.isdisjoint(operands)
        abstract = padded.abstracts.get(value)
        if operands and tensor.dtype.is_floating_point and _is_infinite(abstract, tensor, sizes, own):
            infinite.add(value)
        if abstract is None or not abstract.padded:
            continue
        for sample, size in enumerate(sizes):
            found = _wrong(abstract, tensor, size, sample, not own)
            wrong += [f"{value} = {value.op.mnemonic}: {what}" for what in found]
    return list(dict.fromkeys(wrong))


def _is_infinite(
    abstract: AbstractValue | None, tensor: Tensor, sizes: Sequence[Mapping[str, int]], padding: bool
) -> bool:
    """Whether an element of a value, or with `padding` one of its padding, is not finite."""
    if abstract is None or padding or not abstract.padded:
        return not bool(tensor.isfinite().all())
    for sample, size in enumerate(sizes):
        parts = _sample(abstract, tensor, sample)
        beyond = torch.stack(_spread(abstract, parts, size)).any(0)
        if bool((~beyond & ~parts.isfinite()).any()):
            return True
    return False


def _sample(abstract: AbstractValue, tensor: Tensor, sample: int) -> Tensor:
    """A sample's part of a tensor, one dimension for each factor."""
    parts = tensor.reshape([factor.size for factor in abstract.factors])
    for place, factor in enumerate(abstract.factors):
        if factor.sample:
            parts = parts.narrow(place, sample, 1)
    return parts


def _spread(abstract: AbstractValue, parts: Tensor, sizes: Mapping[str, int]) -> list[Tensor]:
    """For each factor, the elements of `parts` that are padding along this factor."""
    beyond = [_beyond(factor, parts.shape[place], sizes) for place, factor in enumerate(abstract.factors)]
    return [_along(mask, place, parts) for place, mask in enumerate(beyond)]


def _wrong(
    abstract: AbstractValue, tensor: Tensor, sizes: Mapping[str, int], sample: int, finite: bool
) -> Iterator[str]:
    """What a sample's part of a tensor contradicts; with `finite`, also that its padding is finite."""
    factors = list(abstract.factors)
    parts = _sample(abstract, tensor, sample)
    beyond = [_beyond(factor, parts.shape[place], sizes) for place, factor in enumerate(factors)]
    for place, factor in enumerate(factors):
        yield from _wrong_of(factor, place, parts, beyond)
    if finite and not abstract.taint and parts.dtype.is_floating_point:
        spread = _spread(abstract, parts, sizes)
        stated = [m for m, f in zip(spread, factors, strict=True) if f.fill is not None and not math.isfinite(f.fill)]
        excepted = torch.stack(stated).any(0) if stated else torch.zeros_like(parts, dtype=torch.bool)
        if bool((torch.stack(spread).any(0) & ~excepted & ~parts.isfinite()).any()):
            yield "its padding is not finite"


def _wrong_of(factor: Factor, place: int, parts: Tensor, beyond: Sequence[Tensor]) -> Iterator[str]:
    """What elements contradict that are padding along this factor alone."""
    alone = parts
    for other, mask in enumerate(beyond):
        alone = alone.index_select(other, torch.nonzero(mask if other == place else ~mask).flatten())
    if not factor.length or not alone.numel():
        return
    if factor.fill is not None:
        wanted = torch.tensor(factor.fill).to(alone.dtype)
        if not torch.equal(alone.nan_to_num(7), wanted.expand(alone.shape).nan_to_num(7)):
            yield f"{factor.fill} is not what is beyond {factor.length}"
    if factor.alike:
        first = parts.narrow(place, 0, 1)
        same = torch.isclose(parts.double(), first.double(), rtol=0, atol=0, equal_nan=True)
        if not bool(same.all()):
            yield f"it is not the same along {factor.length}"


def _beyond(factor: Factor, size: int, sizes: Mapping[str, int]) -> Tensor:
    """bool[size]: which positions are padding."""
    length = size if factor.length is None else factor.length.at(sizes)
    return torch.arange(size) >= length


def _along(mask: Tensor, place: int, like: Tensor) -> Tensor:
    return mask.reshape([-1 if d == place else 1 for d in range(like.ndim)]).expand(like.shape)
