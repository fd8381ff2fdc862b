"""Long lines are made late and read early, by blocks; what is no long line of blocks stays."""

from __future__ import annotations

import pytest

from tests.passes.check import agree, body, graph_of, rewrites
from ttc.passes.decompose import lines
from ttc.passes.decompose.lines import cut_lines
from ttc.passes.runner import run


@pytest.fixture(autouse=True)
def rows_of_eleven(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lines, "LONGEST_ROW", 11)


def stays(text: str) -> None:
    graph = graph_of(text)
    assert run((cut_lines,), graph, twice=True) is graph


def test_elementwise_ops_run_on_blocks():
    rewrites(
        cut_lines,
        """
        %a: f32[1,3,4] = input(name="a")
        %b: f32[1,3,4] = input(name="b")
        %w: f32[1,12] = const(ref="w")
        %p: f32[1,12] = reshape(x=%a, shape=[1, 12])
        %q: f32[1,12] = reshape(x=%b, shape=[1, 12])
        %s: f32[1,12] = sin(x=%p)
        %c: f32[1,1] = const(ref="c")
        %t: f32[1,12] = add(a=%s, b=%c)
        %u: f32[1,12] = mul(a=%t, b=%q)
        %y: f32[1,12] = mul(a=%u, b=%w)
        return "y"=%y
        """,
        """
        %a: f32[1,3,4] = input(name="a")
        %b: f32[1,3,4] = input(name="b")
        %w: f32[1,12] = const(ref="w")
        %s: f32[1,3,4] = sin(x=%a)
        %c: f32[1,1] = const(ref="c")
        %c_0: f32[] = reshape(x=%c, shape=[])
        %t: f32[1,3,4] = add(a=%s, b=%c_0)
        %u: f32[1,3,4] = mul(a=%t, b=%b)
        %w_0: f32[1,3,4] = reshape(x=%w, shape=[1, 3, 4])
        %y: f32[1,3,4] = mul(a=%u, b=%w_0)
        %y_0: f32[1,12] = reshape(x=%y, shape=[1, 12])
        return "y"=%y_0
        """,
    )


ELEMENTWISE = """
    %a: f32[1,{rows},4] = input(name="a")
    %b: f32[1,{other}] = input(name="b")
    %p: f32[1,{long}] = reshape(x=%a, shape=[1, {long}])
    {q}
    %y: f32[1,{long}] = add(a=%p, b=%q)
    return "y"=%y
"""


@pytest.mark.parametrize(
    ("rows", "other", "q"),
    [
        (3, 12, "%q: f32[1,12] = neg(x=%b)"),  # no blocks
        (3, 12, "%q0: f32[2,6] = reshape(x=%b, shape=[2, 6])\n%q1: f32[2,6] = neg(x=%q0)\n"
                "%q: f32[1,12] = reshape(x=%q1, shape=[1, 12])"),  # other blocks
        (2, 8, "%q0: f32[1,2,4] = reshape(x=%b, shape=[1, 2, 4])\n%q1: f32[1,2,4] = neg(x=%q0)\n"
               "%q: f32[1,8] = reshape(x=%q1, shape=[1, 8])"),  # a short line
    ],
)  # fmt: skip
def test_other_operands_stay(rows: int, other: int, q: str):
    stays(ELEMENTWISE.format(rows=rows, other=other, long=rows * 4, q=q))


def test_a_permute_moves_the_blocks():
    rewrites(
        cut_lines,
        """
        %x: f32[2,5,3,4] = input(name="x")
        %p: f32[2,5,12] = reshape(x=%x, shape=[2, 5, 12])
        %y: f32[2,12,5] = permute(x=%p, dims=[0, 2, 1])
        return "y"=%y
        """,
        """
        %x: f32[2,5,3,4] = input(name="x")
        %y: f32[2,3,4,5] = permute(x=%x, dims=[0, 2, 3, 1])
        %y_0: f32[2,12,5] = reshape(x=%y, shape=[2, 12, 5])
        return "y"=%y_0
        """,
    )


@pytest.mark.parametrize(
    ("blocks", "line"), [([2, 5, 2, 4], [2, 5, 8]), ([5, 2, 3, 4], [2, 5, 12]), ([2, 5, 2, 2, 3], [2, 5, 12])]
)
def test_other_permutes_stay(blocks: list[int], line: list[int]):
    """A short line, one that is made of more than its rows, and one of three dimensions."""
    turned = [line[0], line[2], line[1]]
    stays(
        f"""
        %x: f32{blocks} = input(name="x")
        %p: f32{line} = reshape(x=%x, shape={line})
        %y: f32{turned} = permute(x=%p, dims=[0, 2, 1])
        return "y"=%y
        """.replace(", ", ",")
        .replace(",shape", ", shape")
        .replace(",dims", ", dims")
    )


def test_one_element_of_each_block_is_a_strided_slice_before_the_permute():
    """So upsampling is undone: the element in the middle of each block."""
    rewrites(
        cut_lines,
        """
        %x: f32[1,12,5] = input(name="x")
        %p: f32[1,5,12] = permute(x=%x, dims=[0, 2, 1])
        %b: f32[1,5,3,4] = reshape(x=%p, shape=[1, 5, 3, 4])
        %y: f32[1,5,3,1] = slice(x=%b, starts=[0, 0, 0, 1], ends=[1, 5, 3, 2])
        return "y"=%y
        """,
        """
        %x: f32[1,12,5] = input(name="x")
        %y: f32[1,3,5] = slice(x=%x, starts=[0, 1, 0], ends=[1, 10, 5], steps=[1, 4, 1])
        %y_0: f32[1,5,3] = permute(x=%y, dims=[0, 2, 1])
        %y_1: f32[1,5,3,1] = reshape(x=%y_0, shape=[1, 5, 3, 1])
        return "y"=%y_1
        """,
    )


@pytest.mark.parametrize(
    ("starts", "ends"), [([0, 0, 0, 1], [1, 5, 3, 3]), ([0, 0, 1, 1], [1, 5, 3, 2]), ([0, 1, 0, 1], [1, 5, 3, 2])]
)
def test_slices_of_more_or_of_fewer_blocks_stay(starts: list[int], ends: list[int]):
    shape = [end - start for start, end in zip(starts, ends, strict=True)]
    graph = graph_of(
        f"""
        %x: f32[1,5,12] = input(name="x")
        %b: f32[1,5,3,4] = reshape(x=%x, shape=[1, 5, 3, 4])
        %y: f32[{",".join(map(str, shape))}] = slice(x=%b, starts={starts}, ends={ends})
        return "y"=%y
        """
    )
    assert run((cut_lines,), graph, twice=True) is graph


@pytest.mark.parametrize("columns", [2, 3])
def test_slices_of_short_lines_stay(columns: int):
    text = f"""
        %x: f32[1,{3 * columns},5] = input(name="x")
        %p: f32[1,5,{3 * columns}] = permute(x=%x, dims=[0, 2, 1])
        %b: f32[1,5,3,{columns}] = reshape(x=%p, shape=[1, 5, 3, {columns}])
        %y: f32[1,5,3,1] = slice(x=%b, starts=[0, 0, 0, 1], ends=[1, 5, 3, 2])
        return "y"=%y
    """
    stays(text)


def test_the_numbers_of_a_longer_chain_stay():
    """Every element of each block in turn, and the last of a line of blocks of one shape."""
    for place in range(4):
        graph = graph_of(
            f"""
            %x: f32[2,12,5] = input(name="x")
            %p: f32[2,5,12] = permute(x=%x, dims=[0, 2, 1])
            %b: f32[2,5,3,4] = reshape(x=%p, shape=[2, 5, 3, 4])
            %y: f32[2,5,3,1] = slice(x=%b, starts=[0, 0, 0, {place}], ends=[2, 5, 3, {place + 1}])
            return "y"=%y
            """
        )
        after = run((cut_lines,), graph, twice=True)
        assert "reshape(x=%p" not in body(after)
        agree(graph, after, tolerance=0.0)
