"""Symbolic sizes: numbers like others, whose lengths follow their arithmetic."""

import pytest

from tests.passes.check import graph_of
from ttc.ir import Input, Op, TensorType, Value
from ttc.ir.lengths import Length
from ttc.ir.symbolic import SymbolicSize, length_of, merged, parts_of, plain
from ttc.ops import Concat, Conv, Reshape

T = Length.named("T")
SIZE = SymbolicSize(16, T)


@pytest.mark.parametrize(
    ("size", "number", "length"),
    [
        (SIZE + 2, 18, T + 2),
        (2 + SIZE, 18, T + 2),
        (SIZE - 3, 13, T - 3),
        (20 - SIZE, 4, T * -1 + 20),
        (SIZE * 3, 48, T * 3),
        (3 * SIZE, 48, T * 3),
        ((SIZE + 1) // 2, 8, (T + 1) // 2),
        (sum([SIZE, SIZE, 1]), 33, T * 2 + 1),
        (SIZE + SymbolicSize(5, Length.named("S")), 21, T + Length.named("S")),
    ],
)
def test_arithmetic_computes_the_length_too(size, number, length):
    assert size == number
    assert length_of(size) == length


@pytest.mark.parametrize("size", [SIZE - SIZE, SIZE * SIZE, SIZE // SIZE, 33 // SIZE, SIZE % 5])
def test_what_no_length_expression_says_is_a_plain_number(size):
    assert not isinstance(size, SymbolicSize)


def test_a_size_is_its_number():
    assert SIZE == 16
    assert hash(SIZE) == hash(16)
    assert str(SIZE) == f"{SIZE}" == repr(SIZE) == "16"
    assert type(plain(SIZE)) is int
    assert [type(size) for size in plain((2, (SIZE,)))[1]] == [int]  # type: ignore[index]


def test_merged_dimensions_keep_their_parts():
    rows = merged((2, SIZE))
    assert (rows, length_of(rows), parts_of(rows)) == (32, T * 2, (2, SIZE))
    square = merged((SIZE, SIZE))
    assert (square, length_of(square), parts_of(square)) == (256, None, (SIZE, SIZE))
    assert merged((2, 3)) == 6
    assert parts_of(merged((2, 3))) == (6,)
    assert merged(()) == 1
    assert parts_of(1) == ()
    assert parts_of(SymbolicSize(1, T)) != ()


def test_what_nothing_explains_has_no_length():
    unknown = SymbolicSize(7, None)
    assert not unknown.explained
    assert not isinstance(unknown + 1, SymbolicSize)
    assert SIZE.explained
    assert merged((SIZE, SIZE)).explained  # type: ignore[attr-defined]


def shape_of(op: Op) -> list[int | Length | None]:
    found = op.infer()
    assert isinstance(found, TensorType)
    return [size if not isinstance(size, SymbolicSize) else size.length for size in found.shape]


def test_type_rules_compute_lengths():
    graph = graph_of('%x: f32[2,3,16] = input(name="x")\n%w: f32[5,3,3] = const(ref="w")\nreturn "x"=%x, "w"=%w')
    (_, given), (_, w) = graph.outputs
    type = TensorType(given.dtype, (2, 3, SIZE))
    x = Value(Input(type, "x"), type, "x")
    assert shape_of(Conv(x, w, stride=(2,), padding=((1, 1),), dilation=(1,))) == [2, 5, (T + 1) // 2]
    assert shape_of(Concat((x, given, x), 2)) == [2, 3, T * 2 + 16]
    assert shape_of(Reshape(x, (2, 3, 4, 4))) == [2, 3, 4, 4]
