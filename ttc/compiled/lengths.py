"""Reading a model at several sizes of its lengths: those to compile for, and others that tell lengths apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import product

from ttc.compiled.code import Code
from ttc.errors import InputError, TtcError
from ttc.ir import Graph
from ttc.ir.lengths import Length, size_words
from ttc.passes.padding.fit import LARGEST_QUOTIENT
from ttc.pipeline import Reading
from ttc.runtime.run.buckets import Sizes
from ttc.sources.source import Source

MOST = 32
"""Programs: more buckets than this are surely a mistake."""

PROBES = 2
"""Sizes beside the buckets at which the model is read, to tell lengths that agree at the buckets' (round) sizes."""

MORE_PROBES = LARGEST_QUOTIENT
"""Sizes that tell rounded quotients of a length apart."""


class LengthReader:
    """Reads a model at the sizes of its buckets, and at more of them, each once.

    `sizes` are those of each length, ascending. InputError if the model has no graph but for its lengths.
    """

    def __init__(self, source: Source, sizes: Mapping[str, Sequence[int]], progress: Callable[[str], None]):
        self._source, self._sizes, self._progress = source, sizes, progress
        self._graphs: dict[tuple[int, ...], Graph | None] = {}
        self._probes: dict[int, list[Reading]] = {}
        if source.at({}) is None:
            raise InputError(_not_ready(source))
        self.buckets: list[Sizes] = [dict(zip(sizes, chosen, strict=True)) for chosen in product(*sizes.values())]
        if len(self.buckets) > MOST:
            raise InputError(f"{len(self.buckets)} buckets are too many; {MOST} are the most")

    def at(self, sizes: Sizes) -> Graph:
        """Read the model at these sizes; a TtcError where it does not take them."""
        key = tuple(sizes.values())
        if key not in self._graphs:
            self._progress(f"reading the model at {size_words(sizes)}")
            self._graphs[key] = self._source.at(sizes)
        graph = self._graphs[key]
        if graph is None:
            raise TtcError(f"the model has no form at {size_words(sizes)}")
        return graph

    def readings(self, own: Sizes, more: bool) -> list[Reading]:
        """Read the model at `own` sizes, then at those of the other buckets, then at others."""
        self._progress(f"padding safety at {size_words(own)}")
        others = [sizes for sizes in self.buckets if sizes != own]
        return [(self.at(sizes), sizes) for sizes in (own, *others)] + self._others(MORE_PROBES if more else PROBES)

    @cached_property
    def least(self) -> Mapping[Length, int]:
        """Return the smallest size of each length at which the model's code does the same as at those read.

        Lengths whose code does the same at all sizes are left out: no reading tells what it does below them all.
        InputError if the code does something else where two lengths are equal.
        """
        read = [*self.buckets, *(sizes for _, sizes in self._others(PROBES))]
        code = Code(self._source, read, self._progress)
        code.require_any_equal()
        return {Length.named(name): size for name, size in code.least.items()}

    def _others(self, count: int) -> list[Reading]:
        """Read the model at `count` other sizes of each length in turn, the smallest of all others."""
        if count not in self._probes:
            smallest = {name: listed[0] for name, listed in self._sizes.items()}
            self._probes[count] = [reading for name in self._sizes for reading in self._taken(smallest, name, count)]
        return self._probes[count]

    def _taken(self, smallest: Sizes, name: str, count: int) -> list[Reading]:
        """Return the first readings, at most `count`, at sizes of one length that the model takes."""
        found: list[Reading] = []
        for size in _candidates(smallest[name]):
            sizes = {**smallest, name: size}
            try:
                found.append((self.at(sizes), sizes))
            except TtcError:
                continue  # the model does not take this size; others tell as much
            if len(found) == count:
                break
        return found


def _candidates(smallest: int) -> list[int]:
    """List sizes to read the model at, those that tell most first: odd ones, consecutive ones, multiples."""
    near = [smallest + sign * n for sign in (-1, 1) for n in (1, 3, 2, 4, 5, 6, 7, 8, 16, 32)]
    return [size for size in near if size >= min(8, smallest)] + [smallest * 2, smallest * 3]


def _not_ready(source: Source) -> str:
    unbound = source.unbound()
    if unbound:
        return f"buckets need all other sizes to be bound: {', '.join(unbound)}"
    if needs := source.needs():
        return f"buckets are not possible where values decide shapes: {', '.join(needs.names)}"
    return "buckets need example arguments: give args when compiling"
