"""Small linears of one row become one product, and near misses do not."""

import pytest

from tests.passes.check import agree, body, leaves, near_miss, retyped
from ttc import ops
from ttc.ir import Graph
from ttc.passes.fuse.merge_rows import FEWEST, SMALL, merge_rows
from ttc.passes.runner import run


def rows(count: int = FEWEST, bias: bool = True) -> str:
    """As many linears [1, 8] of one x [1, 4], each read by an activation."""
    lines = ['%x: f32[1,4] = input(name="x")']
    for i in range(count):
        given = f", bias=%b{i}" if bias else ""
        lines += [f'%w{i}: f32[8,4] = const(ref="w{i}")']
        lines += [f'%b{i}: f32[8] = const(ref="b{i}")'] if bias else []
        lines += [f"%y{i}: f32[1,8] = linear(x=%x, w=%w{i}{given})", f"%z{i}: f32[1,8] = relu(x=%y{i})"]
    return "\n".join([*lines, "return " + ", ".join(f'"z{i}"=%z{i}' for i in range(count))])


def linears(graph: Graph) -> list[ops.Linear]:
    return [node.op for node in graph.nodes if isinstance(node.op, ops.Linear)]


@pytest.mark.parametrize("bias", [False, True])
def test_the_product_is_cut_into_entries(bias: bool):
    after = run((merge_rows,), graph := retyped(rows(bias=bias)), twice=True)
    (merged,) = linears(after)
    assert merged.w.shape == (8 * FEWEST, 4)
    assert (merged.bias is not None) == bias
    text = body(after)
    assert f"shape=[{FEWEST}, 1, 8]" in text
    assert all(f"starts=[{i}, 0, 0], ends=[{i + 1}, 1, 8]" in text for i in range(FEWEST))
    agree(graph, after)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('%x: f32[1,4] = input(name="x")', '%x: f32[2,4] = input(name="x")'),
        ('%x: f32[1,4] = input(name="x")', '%x: f32[1,1,4] = input(name="x")'),
        ("linear(x=%x, w=%w3, bias=%b3)", "linear(x=%x, w=%w3)"),
        ("linear(x=%x, w=%w3, bias=%b3)", 'linear(x=%x, w=%w3, bias=%b3, activation="silu")'),
        ("linear(x=%x, w=%w3, bias=%b3)", "linear(x=%u, w=%w3, bias=%b3)"),
        ('%w3: f32[8,4] = const(ref="w3")', '%w3: f32[8,4] = input(name="w3")'),
        ('%b3: f32[8] = const(ref="b3")', '%b3: f32[8] = input(name="b3")'),
    ],
)
def test_near_misses(old: str, new: str):
    text = rows().replace("%w0:", "%u: f32[1,4] = relu(x=%x)\n%w0:", 1)
    near_miss(text, old, new, "concat(", merge_rows)


def test_other_widths_are_other_groups():
    text = rows(2 * FEWEST)
    for i in range(FEWEST):
        text = text.replace(f'%w{i}: f32[8,4] = const(ref="w{i}")', f'%w{i}: f32[5,4] = const(ref="v{i}")')
        text = text.replace(f'%b{i}: f32[8] = const(ref="b{i}")', f'%b{i}: f32[5] = const(ref="c{i}")')
    after = run((merge_rows,), graph := retyped(text), twice=True)
    assert sorted(op.w.shape for op in linears(after)) == [(5 * FEWEST, 4), (8 * FEWEST, 4)]
    agree(graph, after)


def test_fewer_stay_as_they_are():
    leaves(merge_rows, rows(FEWEST - 1))


@pytest.mark.parametrize(("inner", "merges"), [(SMALL // 8, True), (SMALL // 8 + 1, False)])
def test_large_weights_stay_as_they_are(inner: int, merges: bool):
    after = merge_rows(retyped(rows().replace("[1,4]", f"[1,{inner}]").replace("[8,4]", f"[8,{inner}]")))
    assert (len(linears(after)) == 1) == merges
