"""Compiling a model for several sizes of its named lengths: one program for each bucket, safe for what is shorter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import reduce
from itertools import product
from math import gcd
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from ttc.calls.target import Target
from ttc.compiled.bucket_executable import BucketExecutable
from ttc.compiled.compiled import Compiled, Variant, compiled_variant
from ttc.compiled.sharing import share_weights
from ttc.errors import InputError, Refused, TtcError
from ttc.guard.files import as_path, check_output
from ttc.ir import Graph
from ttc.passes.padding import Doubtful, Padded, pad
from ttc.passes.padding.fit import LARGEST_QUOTIENT
from ttc.pipeline import derived_weights, literals
from ttc.runtime.bucket_session import BucketSession
from ttc.runtime.buckets import Bucket
from ttc.runtime.program import weight_types
from ttc.sources.source import Inputs, Source

if TYPE_CHECKING:
    from ttc.frontend.export import Signature

MOST = 32
"""Programs: more buckets than this are surely a mistake."""

PROBES = 2
"""Sizes beside the buckets at which the model is read, to tell lengths that agree at the buckets' (round) sizes."""

MORE_PROBES = LARGEST_QUOTIENT
"""Where sizes are rounded quotients of a length: as many as tell these apart."""

Sizes = dict[str, int]


class Bucketed(Compiled):
    """A model compiled for several sizes. A run takes the smallest bucket that fits, and gives what the model gives.

    Forms are the buckets; the one shown is the largest's.
    """

    def __init__(
        self,
        source: Source,
        sizes: Mapping[str, tuple[int, ...]],
        target: Target,
        dtype: str,
        progress: Callable[[str], None] | None = None,
        allow_host: Collection[str] = (),
    ):
        self._source, self.target, self.dtype, self.allow_host = source, target, dtype, tuple(allow_host)
        self._progress = progress or (lambda what: None)
        if source.ready() is None:
            raise InputError(_not_ready(source))
        bindings = [dict(zip(sizes, chosen, strict=True)) for chosen in product(*sizes.values())]
        if len(bindings) > MOST:
            raise InputError(f"{len(bindings)} buckets are too many; {MOST} are the most")
        self._readings: dict[tuple[int, ...], tuple[Graph, Signature | None] | None] = {}
        try:
            padded, multiples = self._padded(bindings, sizes)
        except Refused as refused:
            refused.rest = refused.rest or self._read(bindings[-1])[0]
            raise
        self._forms: list[Variant] = []
        for binding, safe in zip(bindings, padded, strict=True):
            graph, signature = self._read(binding)
            stages = {"import": graph, "padding": safe.graph}
            self._forms.append(
                compiled_variant(safe.graph, target, dtype, signature, self._progress, self.allow_host, stages)
            )
        self._readings.clear()
        self._shown = self._forms[-1]
        self._executable = _together(self._forms, padded, bindings, multiples)

    def _padded(
        self, bindings: Sequence[Sizes], sizes: Mapping[str, tuple[int, ...]]
    ) -> tuple[list[Padded], dict[str, int]]:
        """The model at each bucket, safe; read at more sizes where few leave a doubt. And what lengths it takes."""
        graphs = [(binding, self._read(binding)[0]) for binding in bindings]
        probes, multiples = self._probes(sizes, PROBES)
        with suppress(Doubtful):
            padded = self._safe(graphs, probes)
            if not any(safe.guessed for safe in padded):
                return padded, multiples
        probes, multiples = self._probes(sizes, MORE_PROBES)
        return self._safe(graphs, probes), multiples

    def _safe(self, graphs: Sequence[tuple[Sizes, Graph]], probes: Sequence[tuple[Sizes, Graph]]) -> list[Padded]:
        padded = []
        for own, graph in graphs:
            self._progress(f"padding safety at {_words(own)}")
            others = [(binding, other) for binding, other in (*graphs, *probes) if binding is not own]
            padded.append(pad([graph, *(g for _, g in others)], [own, *(b for b, _ in others)]))
        return padded

    def _read(self, sizes: Sizes) -> tuple[Graph, Signature | None]:
        """The model at these sizes; a TtcError where it does not take them."""
        key = tuple(sizes.values())
        if key not in self._readings:
            self._progress(f"reading the model at {_words(sizes)}")
            bound = {**self._source.lengths, **sizes}  # type: ignore[attr-defined]
            found = replace(self._source, lengths=bound).ready()  # type: ignore[type-var]
            self._readings[key] = found and found.read()
        reading = self._readings[key]
        if reading is None:
            raise TtcError(f"the model has no form at {_words(sizes)}")
        return reading

    def _probes(
        self, sizes: Mapping[str, tuple[int, ...]], count: int
    ) -> tuple[list[tuple[Sizes, Graph]], dict[str, int]]:
        """The model at other sizes of each length in turn, and what the sizes that it takes are multiples of."""
        smallest = {name: listed[0] for name, listed in sizes.items()}
        probes: list[tuple[Sizes, Graph]] = []
        multiples: dict[str, int] = {}
        for name, listed in sizes.items():
            taken: list[int] = []
            for size in _candidates(listed[0]):
                binding = {**smallest, name: size}
                try:
                    probes.append((binding, self._read(binding)[0]))
                except TtcError:
                    continue  # the model does not take this size; others tell as much
                taken.append(size)
                if len(taken) == count:
                    break
            multiples[name] = reduce(gcd, (*listed, *taken))
        return probes, multiples

    # ------------------------------------------------------------ running

    def run(
        self, inputs: Inputs, device: str | None = None, mode: str = "exact", seed: int = 0
    ) -> dict[str, np.ndarray]:
        """As `Compiled.run`, from inputs of any length up to the largest bucket's; InputError beyond it.

        In a batch the true length of each sample may be given under the length's own name.
        """
        return self._executable.run(inputs, device, mode, seed)

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """What there is to know of each bucket, its program and its masks included."""
        return self._executable.buckets

    def session(self, device: str | None = None, mode: str = "exact") -> BucketSession:  # type: ignore[override]
        """A session of its own state over all buckets."""
        return self._executable.session(device, mode)

    def save(self, path: str | PathLike[str]) -> None:
        """Write all buckets as one `.ttc` artifact, weights once, never over the model's own files."""
        check_output(as_path(path), self.files)
        self._executable.save(path, self._progress)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model as its own framework does: torch tensors out, in the module's own structure."""
        from ttc.sources.torch_source import outputs_as_tensors

        signature = self._form().signature
        if signature is not None:
            inputs: Mapping[str, Any] = signature.flatten_inputs(args, kwargs)
        else:
            inputs = {**dict(zip(self.buckets[-1].inputs, args, strict=False)), **kwargs}
        found = self.run(inputs)  # type: ignore[arg-type]
        return outputs_as_tensors(found, self._form().executable.program.outputs, signature)


def _together(
    forms: Sequence[Variant], padded: Sequence[Padded], bindings: Sequence[Sizes], multiples: Mapping[str, int]
) -> BucketExecutable:
    """The programs of all buckets with the weights that they share."""
    programs, derivations = share_weights([form.build for form in forms])
    buckets = tuple(
        Bucket(program, sizes, p.names, p.samples, multiples, p.least, p.inputs, p.outputs, tuple(map(str, p.masks)))
        for program, sizes, p in zip(programs, bindings, padded, strict=True)
    )
    weights = derived_weights(weight_types(*programs), derivations)
    return BucketExecutable(programs[-1], str(derivations), weights, literals(derivations), buckets)


def _candidates(smallest: int) -> list[int]:
    """Sizes to read the model at, those that tell most first: odd ones, consecutive ones, multiples."""
    near = [smallest + sign * n for sign in (-1, 1) for n in (1, 3, 2, 4, 5, 6, 7, 8, 16, 32)]
    return [size for size in near if size >= min(8, smallest)] + [smallest * 2, smallest * 3]


def _words(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name}={size}" for name, size in sizes.items())


def _not_ready(source: Source) -> str:
    unbound = source.unbound()
    if unbound:
        return f"buckets need all other sizes to be bound: {', '.join(unbound)}"
    if source.undecided():
        return f"buckets are not possible where values decide shapes: {', '.join(source.undecided())}"
    return "buckets need example arguments: give args when compiling"
