"""What padding safety claims of each value, held against the value's own numbers: its fills, and that it is finite."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ttc import ops
from ttc.ops.padding import AbstractValue, Factor
from ttc.passes.padding import Padded


def wrong_claims(padded: Padded, inputs: Mapping[str, Tensor], lengths: Mapping[str, Sequence[int]]) -> list[str]:
    """Each claim that the numbers of a run contradict, in order; `lengths` has one number for each sample."""
    samples = max(map(len, lengths.values()))
    given = {**inputs, **{padded.names[name]: torch.tensor(own) for name, own in lengths.items()}}
    wrong: list[str] = []
    for value, tensor in ops.steps(padded.graph, given):
        abstract = padded.abstracts.get(value)
        if abstract is None or not abstract.padded:
            continue
        for sample in range(samples):
            sizes = {name: own[sample] for name, own in lengths.items()}
            wrong += [f"{value} = {value.op.mnemonic}: {what}" for what in _wrong(abstract, tensor, sizes, sample)]
    return list(dict.fromkeys(wrong))


def _wrong(abstract: AbstractValue, tensor: Tensor, sizes: Mapping[str, int], sample: int) -> Iterator[str]:
    """What a sample's part of a tensor contradicts."""
    factors = list(abstract.factors)
    parts = tensor.reshape([factor.size for factor in factors])
    for place, factor in enumerate(factors):
        if factor.sample:
            parts = parts.narrow(place, sample, 1)
    beyond = [_beyond(factor, parts.shape[place], sizes) for place, factor in enumerate(factors)]
    for place, factor in enumerate(factors):
        yield from _wrong_of(factor, place, parts, beyond)
    if not abstract.taint and parts.dtype.is_floating_point:
        spread = [_along(mask, place, parts) for place, mask in enumerate(beyond)]
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
