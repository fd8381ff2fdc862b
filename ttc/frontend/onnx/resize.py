"""ONNX Resize and Upsample: repeats and slices where exact, else a product with an interpolation matrix per axis."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.attributes import check_word
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.interpolation import Sampling, matrix
from ttc.frontend.onnx.shape import axis_of
from ttc.frontend.onnx.table import Ints, Numbers, onnx_op
from ttc.ir.permutation import inverse_of, to_last
from ttc.ops.expr import Expr, apply, where
from ttc.ops.torch_types import to_torch

WHOLE = 1e-6
"""Relative precision of scales, which are float32."""


@onnx_op(since=7)
def Upsample(b: Emitter, x: Expr, scales: Numbers, *, mode="nearest") -> Expr:
    return _resized(b, x, scales, _scaled_sizes(x, scales), Sampling(mode, "asymmetric", "floor"))


@onnx_op("Resize", since=10)
def _resize_10(b: Emitter, x: Expr, scales: Numbers, *, mode="nearest") -> Expr:
    """Resize as opset 10 does: positions round down for enlarging and up for shrinking."""
    nearest = "ceil" if min(scales) < 1 else "floor"
    return _resized(b, x, scales, _scaled_sizes(x, scales), Sampling(mode, "asymmetric", nearest))


@onnx_op(since=11)
def Resize(
    b: Emitter, x: Expr, roi: Numbers | None = None, scales: Numbers | None = None, sizes: Ints | None = None, *,
    antialias=0, axes=None, coordinate_transformation_mode="half_pixel", cubic_coeff_a=-0.75, exclude_outside=0,
    extrapolation_value=0.0, keep_aspect_ratio_policy="stretch", mode="nearest", nearest_mode="round_prefer_floor",
) -> Expr:  # fmt: skip
    rank = x.rank
    chosen = tuple(range(rank)) if axes is None else tuple(axis_of(axis, rank) for axis in axes)
    given = [x.shape[axis] for axis in chosen]
    if not scales and not sizes:
        raise Refusal("needs scales or sizes")
    if scales:
        wanted = [math.floor(size * scale) for size, scale in zip(given, scales, strict=True)]
        if coordinate_transformation_mode == "align_corners":
            _check_whole(given, scales)
    else:
        assert sizes is not None
        scales, wanted = _fit(given, sizes, keep_aspect_ratio_policy)
    factors = [1.0] * rank
    shape = list(x.shape)
    crop = [(0.0, 1.0)] * rank
    for i, axis in enumerate(chosen):
        factors[axis], shape[axis] = scales[i], wanted[i]
        if coordinate_transformation_mode == "tf_crop_and_resize":
            if not roi:
                raise Refusal("needs a region of interest")
            crop[axis] = (roi[i], roi[i + len(chosen)])
    sampling = Sampling(
        mode, coordinate_transformation_mode, nearest_mode, cubic_coeff_a, bool(exclude_outside), bool(antialias)
    )
    return _resized(b, x, tuple(factors), tuple(shape), sampling, crop, extrapolation_value)


def _check_whole(sizes: list[int], scales: Numbers) -> None:
    """Require that the corners to align with are elements."""
    for size, scale in zip(sizes, scales, strict=True):
        if abs(size * scale - round(size * scale)) > WHOLE * size:
            raise Refusal(
                f"aligns corners at {scale} times {size}, no whole size: ONNX and onnxruntime differ there; "
                "give sizes instead of scales"
            )


def _scaled_sizes(x: Expr, scales: Numbers) -> Ints:
    if len(scales) != x.rank:
        raise Refusal(f"{len(scales)} scales for {x.type}")
    return tuple(math.floor(size * scale) for size, scale in zip(x.shape, scales, strict=True))


def _fit(given: list[int], sizes: Ints, policy: str) -> tuple[Numbers, list[int]]:
    """Return scales and sizes; a policy other than stretch keeps the aspect ratio."""
    check_word("policy", policy, "stretch", "not_larger", "not_smaller")
    ratios = [size / old for size, old in zip(sizes, given, strict=True)]
    if policy == "stretch":
        return tuple(ratios), list(sizes)
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    return (ratio,) * len(given), [math.floor(ratio * old + 0.5) for old in given]


def _resized(
    b: Emitter, x: Expr, scales: Numbers, shape: Ints, sampling: Sampling,
    crop: list[tuple[float, float]] | None = None, filling: float = 0.0,
) -> Expr:  # fmt: skip
    matrices: dict[int, Tensor] = {}
    outside: dict[int, Tensor] = {}
    for axis, (size, scale) in enumerate(zip(x.shape, scales, strict=True)):
        found, beyond = matrix(size, shape[axis], scale, sampling, crop[axis] if crop else (0.0, 1.0))
        if not torch.equal(found, torch.eye(size, dtype=found.dtype)):
            matrices[axis] = found
        if beyond.any():
            outside[axis] = beyond
    y = _upsampled(x, matrices)
    if y is None:
        y = x
        for axis in sorted(matrices, reverse=True):
            y = _along(b, y, axis, matrices[axis])
    for axis, beyond in outside.items():
        mask = b.constant(beyond.reshape([-1 if i == axis else 1 for i in range(x.rank)]))
        y = where(mask, y.number(filling), y)
    return y


def _upsampled(x: Expr, matrices: dict[int, Tensor]) -> Expr | None:
    """Make one upsampling op, if all matrices are those of whole factors over spatial dimensions."""
    rank = x.rank
    if not matrices or min(matrices) < 2 or rank > 5 or not x.dtype.is_float:
        return None
    factors = tuple(len(matrices[axis]) // x.shape[axis] if axis in matrices else 1 for axis in range(2, rank))
    for mode in ("nearest", "linear"):
        if all(_is_whole_factor(matrices[axis], factors[axis - 2], mode) for axis in matrices):
            return apply(ops.Upsample, x, factors, mode)
    return None


def _is_whole_factor(found: Tensor, factor: int, mode: str) -> bool:
    count, size = found.shape
    if factor < 2 or count != factor * size:
        return False
    eye = torch.eye(size, dtype=torch.float64)[None]
    expected = F.interpolate(eye, scale_factor=float(factor), mode=mode)[0].T
    return torch.allclose(found, expected, rtol=0, atol=1e-9)


def _along(b: Emitter, x: Expr, axis: int, found: Tensor) -> Expr:
    """Compute matrix @ x along one axis: a slice where rows pick every n-th element, a lookup for integers."""
    picked = _picked(found)
    if picked is not None and (step := _step(picked)):
        return x.part(axis, picked[0], picked[-1] + 1, step)
    if not x.dtype.is_float:
        if picked is None:
            raise Refusal(f"interpolates {x.dtype}")
        return _looked_up(b, x, axis, picked)
    rank = x.rank
    if axis == rank - 2:
        return b.constant(found.to(to_torch(x.dtype))) @ x
    order = to_last(axis, rank)
    y = x.permute(*order) if rank > 1 else x.reshape(1, *x.shape)
    y = y @ b.constant(found.T.contiguous().to(to_torch(x.dtype)))
    return y.permute(*inverse_of(order)) if rank > 1 else y.reshape(*y.shape[1:])


def _looked_up(b: Emitter, x: Expr, axis: int, picked: list[int]) -> Expr:
    order = (axis, *(i for i in range(x.rank) if i != axis))
    y = apply(ops.Embedding, x.permute(*order), b.constant(torch.tensor(picked)))
    return y.permute(*inverse_of(order))


def _picked(found: Tensor) -> list[int] | None:
    """Return the index that each row picks, if rows are all 0 but one 1."""
    if not bool(((found == 0) | (found == 1)).all()) or not bool((found.sum(1) == 1).all()):
        return None
    return found.argmax(1).tolist()


def _step(picked: list[int]) -> int:
    """Return the distance between picked indices, if the same positive one throughout; else 0."""
    if len(picked) < 2:
        return 1
    steps = {after - before for before, after in itertools.pairwise(picked)}
    return steps.pop() if len(steps) == 1 and min(steps) > 0 else 0
