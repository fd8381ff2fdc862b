"""Special numbers put into a sample: in its inputs, weights and constants, one kind of number at a time."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from ttc import ops
from ttc.ir import Graph, Op, Weight, Weights
from ttc.ops.derived import derived_weights
from ttc.pipeline import Build
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.run.program import weight_types
from ttc.runtime.run.session import Session

LARGEST = torch.finfo(torch.float32).max
SPECIAL: dict[str, tuple[float, ...]] = {
    "-inf": (-math.inf,),
    "inf": (math.inf,),
    "infinities": (math.inf, -math.inf),
    "nan": (math.nan,),
    "largest": (LARGEST,),
    "lowest": (-LARGEST,),
    "zero": (0.0, -0.0),
    "denormal": (1e-40, -1e-41),
}
"""The numbers that are put in, by name."""

HUGE = 1e30
"""Where the largest numbers were put in, or such as have them for a reciprocal, results beyond this are one kind: which
of them overflow, and what becomes of infinite sums in between, follows from the order in which a sum is taken."""


NON_FINITE = ("-inf", "inf", "infinities", "nan")
HUGE_KINDS = ("largest", "lowest", "denormal")

SCORES = "torch's CPU kernels give 0, NaN or a mean for scores that are not finite, by the kernel: no one answer"
FOURIER = "a Fourier transform is a product with waves: torch's fast one adds and subtracts what is infinite"
ZEROS = "products with the zeros between groups' blocks, or between a transposed convolution's elements"
LINES = "a product with the matrix of the resizing: an infinity spreads over its sample's channel"

ENDS = "a sum of huge numbers of both signs ends at either end, by its order, and an activation makes 0 of one"
FLOORS = "the quotient is rounded down, as ONNX says: torch's own remainder makes NaN or -1 of it"
GATES = "a state is held and chosen by gates of 0 and 1, a direction turned by a product: a NaN takes its sample along"
RECURRENT = {
    ops.Rnn: ("x", "h", "w", "r", "bias"),
    ops.Lstm: ("x", "h", "w"),
    ops.Gru: ("x", "h", "w", "r", "bias", "bias_n"),
}

DIFFERENT: dict[tuple[type[Op], str], tuple[tuple[str, ...], str]] = {
    (ops.Argmax, "x"): (("nan",), "which element is the largest beside a NaN is the card's comparison's to say"),
    (ops.Attention, "q"): ((*NON_FINITE, *HUGE_KINDS), SCORES),
    (ops.Attention, "k"): ((*NON_FINITE, *HUGE_KINDS), SCORES),
    (ops.Attention, "x"): ((*NON_FINITE, *HUGE_KINDS), SCORES),
    (ops.BatchNorm, "w"): (HUGE_KINDS, "x * scale + shift, rounded in between: what is left of two huge numbers"),
    (ops.Cast, "x"): ((*NON_FINITE, *HUGE_KINDS), "a cast to integers beyond their range, which torch leaves open"),
    (ops.Conv, "x"): (NON_FINITE, ZEROS),
    (ops.Conv, "w"): (NON_FINITE, ZEROS),
    (ops.ConvTranspose, "w"): (NON_FINITE, ZEROS),
    (ops.FloorDiv, "a"): (NON_FINITE, FLOORS),
    (ops.FloorDiv, "b"): (NON_FINITE, FLOORS),
    (ops.GroupNorm, "x"): ((*NON_FINITE, *HUGE_KINDS), "one product gives all groups' means: all of a sample are NaN"),
    (ops.GroupNorm, "w"): (NON_FINITE, "torch subtracts the mean after it has multiplied it by the weight"),
    (ops.Istft, "window"): ((*NON_FINITE, *HUGE_KINDS), FOURIER),
    **{(kind, name): ((*NON_FINITE, *HUGE_KINDS), GATES) for kind, names in RECURRENT.items() for name in names},
    (ops.Istft, "real"): ((*NON_FINITE, *HUGE_KINDS), FOURIER),
    (ops.Istft, "imag"): ((*NON_FINITE, *HUGE_KINDS), FOURIER),
    **{(ops.Linear, name): (HUGE_KINDS, ENDS) for name in ("x", "w")},
    (ops.Pow, "a"): (NON_FINITE, "a power of 1/2 is a root: that of -inf is NaN, torch's power of it inf"),
    (ops.Stft, "x"): ((*NON_FINITE, *HUGE_KINDS), FOURIER),
    (ops.Stft, "window"): ((*NON_FINITE, *HUGE_KINDS), FOURIER),
    (ops.Upsample, "x"): (NON_FINITE, LINES),
}
"""Where a program may differ from torch, by op and operand: for which numbers, and why. docs/numbers.md says so too."""


def differs(kind: type[Op], name: str, special: str) -> bool:
    """Whether a program may differ from torch where `special` numbers are in an operand."""
    return special in DIFFERENT.get((kind, name), ((), ""))[0]


def with_special(x: torch.Tensor, numbers: tuple[float, ...]) -> torch.Tensor:
    """x with special numbers at a few places of its first half: the rest, other samples too, stays as it is."""
    if not x.is_floating_point() or not x.numel():
        return x
    flat = x.clone().flatten()
    places = [0, flat.numel() // 3, flat.numel() // 3 + 1][: max(1, flat.numel() // 2)]
    for i, place in enumerate(places):
        flat[place] = numbers[i % len(numbers)]
    return flat.reshape(x.shape)


def floats_of(graph: Graph, inputs: dict[str, torch.Tensor]) -> list[str]:
    """The names of a sample's floating inputs and weights."""
    names = [name for name, x in inputs.items() if x.is_floating_point()]
    return names + [ref for ref, weight in graph.weights.items() if weight.type.dtype.is_float]


def put(
    graph: Graph, inputs: dict[str, torch.Tensor], name: str, numbers: tuple[float, ...]
) -> tuple[Graph, dict[str, torch.Tensor]]:
    """The graph and inputs with special numbers in one input or weight."""
    if name in inputs:
        return graph, {**inputs, name: with_special(inputs[name], numbers)}
    weight = graph.weights[name]
    array = with_special(torch.from_numpy(np.array(weight.read())), numbers).numpy()
    return replace(graph, weights=Weights({**graph.weights, name: Weight(weight.type, lambda: array)})), inputs


def run(build: Build, graph: Graph, inputs: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """What the compiled program gives with the weights of `graph`, which may not be those that it was compiled from."""
    own = Weights({**build.derivations.weights, **graph.weights})
    weights = derived_weights(weight_types(build.program), replace(build.derivations, weights=own))
    session = Session([build.bucket], weights, EmulatorDevice("exact"))
    return session.run({key: x.numpy() for key, x in inputs.items()})


def _differ(found: np.ndarray, wanted: np.ndarray, tolerance: float, huge: bool) -> np.ndarray:
    """Where numbers differ by more than `tolerance` of the largest ordinary one (or of 1), or in being NaN or infinite.

    If `huge` numbers were put in, all that is beyond `HUGE` or not finite is the same.
    """
    with np.errstate(invalid="ignore"):
        ordinary = np.abs(wanted[np.abs(wanted) <= HUGE])
        apart = np.abs(found - wanted) > tolerance * np.maximum(np.abs(wanted), max(1.0, ordinary.max(initial=0.0)))
        special = ~np.isfinite(found) | ~np.isfinite(wanted)
        same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
        if huge:
            beyond = [~(np.abs(x) <= HUGE) for x in (found, wanted)]
            return np.where(beyond[0] | beyond[1], beyond[0] != beyond[1], apart)
    return np.where(special, ~same, apart)


def fault(found: np.ndarray, wanted: np.ndarray, tolerance: float, huge: bool = False) -> str:
    """Where two arrays differ, as a sentence; "" if nowhere."""
    if found.dtype != wanted.dtype or found.shape != wanted.shape:
        return f"{found.dtype}{found.shape} for {wanted.dtype}{wanted.shape}"
    if not np.issubdtype(wanted.dtype, np.floating):
        wrong = found != wanted
    else:
        wrong = _differ(found.astype(np.float64), wanted.astype(np.float64), tolerance, huge)
    if not wrong.any():
        return ""
    place = tuple(int(i[0]) for i in np.nonzero(wrong)) if wrong.ndim else ()
    return f"{int(wrong.sum())} of {wrong.size}, first at {list(place)}: {found[place]!r} for {wanted[place]!r}"
