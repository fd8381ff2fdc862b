"""Length inference in text: lengths that type rules give, lengths that are fitted, and sizes that nothing explains."""

from __future__ import annotations

import re

import pytest

from tests.passes.check import graph_of
from ttc.ir.lengths import Length
from ttc.ir.symbolic import SymbolicSize, parts_of
from ttc.passes.padding import Annotated, Readings, infer_lengths
from ttc.passes.padding.known import Scale, Shift

T = Length.named("T")
SIZES = (16, 24, 12, 20)
"""All that a model that halves its length twice takes."""


def annotated(lines: str, sizes: tuple[int, ...] = SIZES) -> Annotated:
    """%x is f32[2,3,T]; {expression of T} stands for its number."""
    text = '%x: f32[2,3,{T}] = input(name="x")\n' + lines + '\nreturn "y"=%y'
    return infer_lengths(Readings([graph_of(_at(text, n)) for n in sizes], [{"T": n} for n in sizes]))


def _at(text: str, size: int) -> str:
    return re.sub(r"\{(.*?)\}", lambda found: str(eval(found[1], {"T": size})), text)


def lengths(size: int) -> object:
    """A size's length; those of its parts if it has several; the number if it follows none."""
    if not isinstance(size, SymbolicSize):
        return size
    parts = [part.length if isinstance(part, SymbolicSize) else part for part in parts_of(size)]
    return parts[0] if len(parts) == 1 else parts


CASES = {
    "a type rule gives it": (
        '%w: f32[3,3,3] = const(ref="w")\n'
        "%y: f32[2,3,{(T+1)//2}] = conv(x=%x, w=%w, stride=[2], padding=[[1, 1]], dilation=[1])",
        [2, 3, (T + 1) // 2],
    ),
    "a reshape merges it": ("%y: f32[2,{3*T}] = reshape(x=%x, shape=[2, {3*T}])", [2, [3, T]]),
    "a reshape splits it": ("%y: f32[2,3,{T//4},4] = reshape(x=%x, shape=[2, 3, {T//4}, 4])", [2, 3, T // 4, 4]),
    "a reshape takes apart what another merged": (
        "%m: f32[{6*T}] = reshape(x=%x, shape=[{6*T}])\n%y: f32[6,{T}] = reshape(x=%m, shape=[6, {T}])",
        [6, T],
    ),
    "two lengths in one dimension": (
        "%t: f32[2,{T},3] = permute(x=%x, dims=[0, 2, 1])\n%s: f32[2,{T},{T}] = matmul(a=%t, b=%x)\n"
        "%y: f32[2,{T*T}] = reshape(x=%s, shape=[2, {T*T}])",
        [2, [T, T]],
    ),
    "a slice to the end": (
        "%y: f32[2,3,{(T-1+2)//3}] = slice(x=%x, starts=[0, 0, 1], ends=[2, 3, {T}], steps=[1, 1, 3])",
        [2, 3, (T + 1) // 3],
    ),
    "a slice of the last": (
        "%y: f32[2,3,2] = slice(x=%x, starts=[0, 0, {T-2}], ends=[2, 3, {T}], steps=[1, 1, 1])",
        [2, 3, 2],
    ),
    "a repeated dimension is fitted": (
        "%c: f32[] = full(value=1.0)\n%y: f32[2,{2*T+1}] = expand(x=%c, shape=[2, {2*T+1}])",
        [2, T * 2 + 1],
    ),
    "a repeated dimension beside its own": ("%y: f32[5,2,3,{T}] = expand(x=%x, shape=[5, 2, 3, {T}])", [5, 2, 3, T]),
    "a repeated dimension beside a merged one": (
        "%m: f32[{6*T}] = reshape(x=%x, shape=[{6*T}])\n%y: f32[5,{6*T}] = expand(x=%m, shape=[5, {6*T}])",
        [5, [2, 3, T]],
    ),
    "a pool over all": (
        "%y: f32[2,3,1] = avg_pool(x=%x, kernel=[{T}], stride=[{T}], padding=[[0, 0]], dilation=[1])",
        [2, 3, 1],
    ),
    "a length that is one position": (
        '%w: f32[3,3,9] = const(ref="w")\n'
        "%y: f32[2,3,1] = conv(x=%x, w=%w, stride=[24], padding=[[0, 0]], dilation=[1])",
        [2, 3, 1],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_lengths_of_a_result(name):
    lines, wanted = CASES[name]
    found = annotated(lines)
    assert found.reasons == ()
    assert not found.guessed
    ((_, y),) = found.graph.outputs
    assert [lengths(size) for size in y.shape] == wanted


def known(lines: str) -> list:
    return list(annotated(lines).known.values())


def test_known_values_follow_lengths():
    (same,) = known("%c: f32[1,1,1] = full(value=2.0)\n%y: f32[2,3,{T}] = mul(a=%x, b=%c)")
    assert same.follows is None
    assert not same.unexplained
    (ends,) = known("%c: i64[2] = literal(data=[0, {T-1}])\n%y: f32[2,3,{T}] = embedding(w=%x, index=%c)")
    assert isinstance(ends.follows, Shift)
    assert ends.follows.length == T - 16  # added to the number at T = 16
    assert ends.follows.moved.tolist() == [False, True]
    (share,) = known("%c: f32[] = full(value={1/T})\n%y: f32[2,3,{T}] = mul(a=%x, b=%c)")
    assert isinstance(share.follows, Scale)
    assert (share.follows.function, share.follows.length, share.follows.divisor) == ("reciprocal", T, 1)
    (other,) = known("%c: f32[] = full(value={T*T/7})\n%y: f32[2,3,{T}] = mul(a=%x, b=%c)")
    assert other.unexplained
    (two,) = known("%c: f32[2,1,1] = literal(data=[{1/T}, {T}.0])\n%y: f32[2,3,{T}] = mul(a=%x, b=%c)")
    assert two.unexplained


DIAGONAL = """
    %t: f32[2,{T},3] = permute(x=%x, dims=[0, 2, 1])
    %s: f32[2,{T},{T}] = matmul(a=%t, b=%x)
    %p: f32[{T},{T},2] = permute(x=%s, dims=[1, 2, 0])
    %r: f32[{T*T},2] = reshape(x=%p, shape=[{T*T}, 2])
    %c: i64[3] = literal(data=PLACES)
    %y: f32[3,2] = embedding(w=%r, index=%c)
"""


def test_places_in_merged_dimensions_are_compared_part_by_part():
    """(0, 0), (1, 1), (2, 2) are other numbers at each length; the same numbers are other places."""
    (_, y), *_ = (found := annotated(DIAGONAL.replace("PLACES", "[0, {T+1}, {2*T+2}]"))).graph.outputs
    assert y in found.picked
    (_, y), *_ = (found := annotated(DIAGONAL.replace("PLACES", "[0, 17, 34]"))).graph.outputs
    assert y not in found.picked


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            "%y: f32[2,3,{T*T//48}] = slice(x=%x, starts=[0, 0, 0], ends=[2, 3, {T*T//48}], steps=[1, 1, 1])",
            "follows no length that ttc knows",
        ),
        ("%y: f32[2,3,{T}] = softmax(x=%x, dim={T % 3})", "its dim follows a length"),
        ("%y: f32[4,{3*T//2}] = reshape(x=%x, shape=[4, {3*T//2}])", "a reshape divides 3 elements into parts of 2"),
        ("%y: f32[2,3,4,{T//4}] = reshape(x=%x, shape=[2, 3, 4, {T//4}])", "cuts the length T into parts"),
    ],
)
def test_what_nothing_explains_is_a_reason(lines, reason):
    found = annotated(lines, (16, 15, 13, 19) if "dim=" in lines else SIZES)
    assert [text for _, text in found.reasons if reason in text]
