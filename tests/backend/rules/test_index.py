from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.backend.lowered import lowered
from tests.emulated import emulated
from tests.mock_cards import check
from ttc.backend import lower
from ttc.calls.target import TARGETS
from ttc.errors import Refused
from ttc.ir import DType, TensorType, Weight, Weights, parse_graph
from ttc.ops import evaluate
from ttc.ops.torch_types import array_of, stored_as
from ttc.pipeline import Options, compile_graph


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
    derived = lower(graph, TARGETS["n150"], DType.f32, DType.f32)[1]
    source = Weights({"w": Weight(dict(graph.outputs)["y"].op.w.type, lambda: array_of(table))})
    parts = list(evaluate(replace(derived, weights=source), {}).values())
    assert len(parts) == 3
    assert all(part.dtype is torch.bfloat16 for part in parts)
    assert torch.equal((parts[2].float() + parts[1].float()) + parts[0].float(), table)


def test_integer_tables_are_gathered():
    assert "gather" in embedding("i64[50,3]", "i64[2,3]", "i64[2,3,3]")


@pytest.mark.parametrize(
    ("dtype", "calls"),
    [
        (DType.bf16, ["to_layout", "typecast", "to_layout", "embedding", "to_layout"]),
        (DType.f32, ["to_layout", "typecast", "to_layout", "expand", "permute", "gather", "permute"]),
    ],
)
def test_a_computed_table_is_looked_up_in_bf16(dtype: DType, calls: list[str]):
    text = lowered(
        """
        %w: f32[50,40] = input(name="w")
        %i: i64[7] = input(name="i")
        %y: f32[7,40] = embedding(w=%w, index=%i)
        return "y"=%y
        """,
        dtype,
    )
    assert [name for name in names(text) if name != "reshape"] == calls


def test_gather_takes_the_rows_that_the_index_covers():
    text = lowered("""
        %x: f32[5,33,40] = input(name="x")
        %i: i64[2,7,9] = input(name="i")
        %y: f32[2,7,9] = gather(x=%x, index=%i, dim=0)
        return "y"=%y
    """)
    assert names(text)[-5:] == ["permute", "permute", "slice", "gather", "permute"]


@pytest.mark.parametrize(("size", "count"), [(1, 1), (5, 1), (1, 3), (5, 2)])
@pytest.mark.parametrize("dtype", ["f32", "i32"])
def test_a_number_alone_is_gathered_as_a_row(size: int, count: int, dtype: str, ttnn_python: str):
    graph = parse_graph(f"""graph {{
        %x: {dtype}[{size}] = input(name="x")
        %i: i64[{count}] = input(name="i")
        %y: {dtype}[{count}] = gather(x=%x, index=%i, dim=0)
        return "y"=%y
    }}""")
    build = compile_graph(graph, Options(TARGETS["n150"]))
    assert check(build.program).ok
    x = torch.arange(size).to(torch.float32 if dtype == "f32" else torch.int32) + 3
    index = torch.arange(count) % size
    found = emulated(build, {"x": x.numpy(), "i": index.numpy()})["y"]
    assert found.tolist() == x[index].tolist()


def test_a_scatter_into_part_of_the_rows_is_refused():
    with pytest.raises(Refused, match=r"cannot scatter by i64\[2,4\] into only some of the rows of f32\[5,4\]"):
        lowered("""
            %x: f32[5,4] = input(name="x")
            %i: i64[2,4] = input(name="i")
            %u: f32[2,4] = input(name="u")
            %y: f32[5,4] = scatter(x=%x, index=%i, updates=%u, dim=1)
            return "y"=%y
        """)


F32 = torch.finfo(torch.float32)
ENTRIES = [
    -torch.inf, torch.inf, torch.nan, F32.min, F32.max, -3.39e38, 0.0, -0.0, F32.tiny, 1e-40, -1e-45, 1.0000001, 1 / 3,
    16777217.0, -65504.0, 3.3895313892515355e38, 0x7F7FFFFF / 3, torch.pi,
]  # fmt: skip


@pytest.mark.parametrize("given", ["input", "weight"])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_lookup_gives_the_entry_of_the_table_whatever_it_is(given: str, dtype: str):
    """Exactly in fp32, but for bits below 2^-133; rounded in bf16, the largest float32 to a finite number."""
    table = torch.tensor(ENTRIES).reshape(-1, 1).repeat(1, 32)
    source = 'input(name="w")' if given == "input" else 'const(ref="w")'
    text = f"""graph {{
  %w: f32[{len(ENTRIES)},32] = {source}
  %i: i64[1,{len(ENTRIES)}] = input(name="i")
  %y: f32[1,{len(ENTRIES)},32] = embedding(w=%w, index=%i)
  return "y"=%y
}}"""
    weights = Weights({"w": Weight(TensorType(DType.f32, tuple(table.shape)), lambda: array_of(table))})
    build = compile_graph(parse_graph(text, weights), Options(TARGETS["n150"], dtype))
    inputs = {"i": torch.arange(len(ENTRIES)).flip(0).reshape(1, -1).numpy()}
    inputs |= {"w": table.numpy()} if given == "input" else {}
    found = emulated(build, inputs)["y"]
    wanted = stored_as(table, DType.bf16 if dtype == "bf16" else DType.f32).float().flip(0).numpy()[None]
    np.testing.assert_allclose(found, wanted, rtol=0.0, atol=2.0**-133)
