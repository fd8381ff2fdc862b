import pytest

from tests.passes.check import agree, body, graph_of, leaves
from ttc.passes.decompose.decompose import decompose
from ttc.passes.runner import run


@pytest.mark.parametrize("largest", ["true", "false"])
@pytest.mark.parametrize(("dim", "shapes"), [(0, "[3,7]"), (1, "[5,3]")])
def test_integers_with_equals_among_them(dim, shapes, largest):
    graph = graph_of(
        f"""
        %x: i64[5,7] = input(name="x")
        %v: i64{shapes}, %i: i64{shapes} = topk(x=%x, k=3, dim={dim}, largest={largest})
        return "v"=%v, "i"=%i
        """
    )
    after = run((decompose,), graph, twice=True)
    assert "topk" not in body(after)
    agree(graph, after, tolerance=0.0)


def test_floats_stay():
    leaves(
        decompose,
        """
        %x: f32[5,7] = input(name="x")
        %v: f32[5,3], %i: i64[5,3] = topk(x=%x, k=3, dim=1)
        return "v"=%v, "i"=%i
        """,
    )
