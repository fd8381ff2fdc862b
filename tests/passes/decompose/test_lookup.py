"""Look-ups of computed tables along a later dimension: as x lies, where rows are worth reading."""

import pytest

from tests.passes.check import agree, graph_of, leaves, rewrites
from ttc import ops
from ttc.ops.signal import LONGEST_ROW
from ttc.passes.decompose.decompose import decompose
from ttc.passes.runner import run


def lookup(x: tuple[int, ...], order: list[int], index: tuple[int, ...], source: str = 'input(name="x")') -> str:
    """Write a look-up in x with its dimensions in another order."""
    table = [x[dim] for dim in order]
    return f"""
        %x: f32{list(x)} = {source}
        %i: i64{list(index)} = input(name="i")
        %t: f32{table} = permute(x=%x, dims={order})
        %y: f32{[*index, *table[1:]]} = embedding(w=%t, index=%i)
        return "y"=%y
        """


def test_rows_of_all_blocks_are_one_table():
    rewrites(
        decompose,
        lookup((3, 32, 40), [1, 0, 2], (2,)),
        """
        %x: f32[3,32,40] = input(name="x")
        %i: i64[2] = input(name="i")
        %y: f32[96,40] = reshape(x=%x, shape=[96, 40])
        %y_0: i64[3,1] = literal(data=[0, 32, 64])
        %y_1: i64[3,2] = add(a=%i, b=%y_0)
        %y_2: f32[3,2,40] = embedding(w=%y, index=%y_1)
        %y_3: f32[2,3,40] = permute(x=%y_2, dims=[1, 0, 2])
        return "y"=%y_3
        """,
    )


def test_elements_of_lines_are_gathered():
    rewrites(
        decompose,
        lookup((5, 33), [1, 0], (2,)),
        """
        %x: f32[5,33] = input(name="x")
        %i: i64[2] = input(name="i")
        %y: i64[1,2] = reshape(x=%i, shape=[1, 2])
        %y_0: i64[5,2] = expand(x=%y, shape=[5, 2])
        %y_1: f32[5,2] = gather(x=%x, index=%y_0, dim=1)
        %y_2: f32[2,5] = permute(x=%y_1, dims=[1, 0])
        return "y"=%y_2
        """,
    )


@pytest.mark.parametrize("index", [(), (1,), (4,), (2, 3), (2, 1, 3)])
@pytest.mark.parametrize(
    ("x", "dim"), [((3, 7, 32), 1), ((1, 7, 32), 1), ((2, 3, 7, 4, 8), 2), ((2, 7, 4, 8), 1), ((2, 3, 7), 2)]
)
def test_numbers(x, dim, index):
    order = [dim, *(at for at in range(len(x)) if at != dim)]
    graph = graph_of(lookup(x, order, index))
    after = run([decompose], graph)
    assert not any(isinstance(node.op, ops.Permute) and node.op.x.shape == x for node in after.nodes)
    agree(graph, after)


@pytest.mark.parametrize(
    ("x", "order", "source"),
    [
        ((3, 7, 31), [1, 0, 2], 'input(name="x")'),  # narrow rows
        ((3, 7, 32), [2, 1, 0], 'input(name="x")'),  # the others change places too
        ((3, 7, 32), [1, 2, 0], 'input(name="x")'),
        ((3, 7, 32), [1, 0, 2], 'const(ref="x")'),  # turned around before the first run
        ((2, LONGEST_ROW // 2 + 1, 32), [1, 0, 2], 'input(name="x")'),  # a line of all rows is too long
    ],
)
def test_near_misses(x, order, source):
    leaves(decompose, lookup(x, order, (2,), source))


def test_a_table_as_long_as_may_be():
    graph = graph_of(lookup((2, LONGEST_ROW // 2, 32), [1, 0, 2], (2,)))
    assert not any(
        isinstance(node.op, ops.Permute) and node.op.x.shape[1] > 2 for node in run([decompose], graph).nodes
    )
