from dataclasses import replace

import pytest
import torch

from tests.backend.lowered import lowered
from ttc.backend import lower
from ttc.calls.target import TARGETS
from ttc.errors import Refused
from ttc.ir import DType, Weight, Weights, parse_graph
from ttc.ops import evaluate
from ttc.ops.torch_types import array_of


def names(text: str) -> list[str]:
    return [line.split("= ")[1].split("(")[0].removeprefix("ttnn.") for line in text.splitlines()]


def embedding(table: str, index: str, result: str, dtype: DType = DType.bf16) -> list[str]:
    return names(
        lowered(
            f"""
            %w: {table} = const(ref="w")
            %i: {index} = input(name="i")
            %y: {result} = embedding(w=%w, index=%i)
            return "y"=%y
            """,
            dtype,
        )
    )


def test_one_lookup_where_tiles_come_out_whole():
    start = ["typecast", "to_layout"]
    assert embedding("f32[50,64]", "i64[2,32]", "f32[2,32,64]") == [*start, "embedding"]
    assert embedding("f32[50,40]", "i64[2,32]", "f32[2,32,40]") == [*start, "embedding", "to_layout"]


def test_an_fp32_table_is_three_of_bf16():
    assert embedding("f32[50,64]", "i64[2,32]", "f32[2,32,64]", DType.f32) == [
        *("typecast", "to_layout", "embedding", "embedding", "embedding", "typecast", "add", "add")
    ]


def test_the_three_tables_add_up_exactly():
    table = torch.randn(50, 64, generator=torch.Generator().manual_seed(0)) * torch.logspace(-20, 20, 64)
    graph = parse_graph("""graph {
      %w: f32[50,64] = const(ref="w")
      %i: i64[1,32] = input(name="i")
      %y: f32[1,32,64] = embedding(w=%w, index=%i)
      return "y"=%y
    }""")
    derived = lower(graph, TARGETS["n150"], DType.f32, DType.f32).weights
    source = Weights({"w": Weight(dict(graph.outputs)["y"].op.w.type, lambda: array_of(table))})
    parts = list(evaluate(replace(derived, weights=source), {}).values())
    assert len(parts) == 3
    assert all(part.dtype is torch.bfloat16 for part in parts)
    assert torch.equal((parts[2].float() + parts[1].float()) + parts[0].float(), table)


def test_integer_tables_are_gathered():
    assert "gather" in embedding("i64[50,3]", "i64[2,3]", "i64[2,3,3]")


def test_gather_takes_the_rows_that_the_index_covers():
    text = lowered("""
        %x: f32[5,33,40] = input(name="x")
        %i: i64[2,7,9] = input(name="i")
        %y: f32[2,7,9] = gather(x=%x, index=%i, dim=0)
        return "y"=%y
    """)
    assert names(text)[-5:] == ["permute", "permute", "slice", "gather", "permute"]


def test_a_scatter_into_part_of_the_rows_is_refused():
    with pytest.raises(Refused, match=r"a scatter of i64\[2,4\] into part of the rows of f32\[5,4\]"):
        lowered("""
            %x: f32[5,4] = input(name="x")
            %i: i64[2,4] = input(name="i")
            %u: f32[2,4] = input(name="u")
            %y: f32[5,4] = scatter(x=%x, index=%i, updates=%u, dim=1)
            return "y"=%y
        """)
