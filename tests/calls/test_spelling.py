"""Attributes of calls in TTNN's words, as text and as objects."""

from types import SimpleNamespace

import pytest

from ttc.calls import conv, conv_transpose, loop
from ttc.calls.call import Call, ComputeKernelConfig, CoreGrid, UnaryWithParam
from ttc.calls.layout import ToLayout
from ttc.calls.matmul import Linear
from ttc.calls.spelling import arguments, build, spelled, text
from ttc.ir import L1, Buffer, DType, Layout, MemoryConfig, Sharding, ShardSpec, Spec, Value, parse_graph


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        (None, "None"),
        (True, "True"),
        (2, "2"),
        (0.5, "0.5"),
        (float("-inf"), 'float("-inf")'),
        ("gelu", '"gelu"'),
        ((1, (2, 3)), "[1, [2, 3]]"),
        (DType.bfp8, "ttnn.bfloat8_b"),
        (Layout.ROW_MAJOR, "ttnn.ROW_MAJOR_LAYOUT"),
        (L1, "ttnn.L1_MEMORY_CONFIG"),
        (CoreGrid(8, 7), "ttnn.CoreGrid(y=8, x=7)"),
        (UnaryWithParam("RELU"), "ttnn.UnaryWithParam(ttnn.UnaryOpType.RELU)"),
        (UnaryWithParam("ELU", 1.0), "ttnn.UnaryWithParam(ttnn.UnaryOpType.ELU, 1.0)"),
        (
            ComputeKernelConfig(),
            "ttnn.WormholeComputeKernelConfig(math_fidelity=ttnn.MathFidelity.HiFi3, math_approx_mode=False, "
            "fp32_dest_acc_en=True, packer_l1_acc=True)",
        ),
        (
            MemoryConfig(Buffer.L1, Sharding.HEIGHT_SHARDED),
            "ttnn.MemoryConfig(ttnn.TensorMemoryLayout.HEIGHT_SHARDED, ttnn.BufferType.L1)",
        ),
        (
            MemoryConfig(Buffer.L1, Sharding.HEIGHT_SHARDED, ShardSpec((8, 1), (32, 64))),
            "ttnn.MemoryConfig(ttnn.TensorMemoryLayout.HEIGHT_SHARDED, ttnn.BufferType.L1, ttnn.ShardSpec("
            "ttnn.CoreRangeSet([ttnn.CoreRange(ttnn.CoreCoord(0, 0), ttnn.CoreCoord(7, 0))]), [32, 64], "
            "ttnn.ShardOrientation.ROW_MAJOR))",
        ),
        (
            MemoryConfig(Buffer.L1, Sharding.HEIGHT_SHARDED, ShardSpec((8, 7), (96, 64), rest=5)),
            "ttnn.MemoryConfig(ttnn.TensorMemoryLayout.HEIGHT_SHARDED, ttnn.BufferType.L1, ttnn.ShardSpec("
            "ttnn.CoreRangeSet([ttnn.CoreRange(ttnn.CoreCoord(0, 0), ttnn.CoreCoord(7, 6)), "
            "ttnn.CoreRange(ttnn.CoreCoord(0, 7), ttnn.CoreCoord(4, 7))]), [96, 64], "
            "ttnn.ShardOrientation.ROW_MAJOR))",
        ),
    ],
)
def test_text(attribute, expected):
    assert text(spelled(attribute)) == expected


def test_build_resolves_names_and_makes_objects():
    module = SimpleNamespace(
        CoreGrid=lambda **sizes: ("grid", sizes),
        UnaryWithParam=lambda *parts: ("unary", parts),
        UnaryOpType=SimpleNamespace(ELU="ELU!"),
        float32="f32!",
    )
    assert build(spelled(CoreGrid(8, 7)), module) == ("grid", {"y": 8, "x": 7})
    assert build(spelled((UnaryWithParam("ELU", 1.0), 3)), module) == [("unary", ("ELU!", 1.0)), 3]
    assert build(spelled(DType.f32), module) == "f32!"


def test_a_value_has_no_spelling():
    value = Value(ToLayout, Spec(DType.bf16, (32, 32)), "x")
    with pytest.raises(TypeError, match="no TTNN spelling"):
        spelled(value)


def test_arguments_leave_defaults_out():
    graph = parse_graph("""graph {
      %x: bf16[32,32] tile dram = input(name="x")
      %y: bf16[32,32] tile dram = ttnn.linear(%x, %x, transpose_b=true, core_grid=CoreGrid(y=8, x=8))
      return "y"=%y
    }""")
    x, y = graph.values()
    assert isinstance(y.op, Linear)
    stated = {"compute_kernel_config": ComputeKernelConfig()}  # the default is ttc's: TTNN's is another on each card
    assert arguments(y.op) == ([x, x], {"transpose_b": True, **stated, "core_grid": CoreGrid(8, 8)})


def test_calls_on_the_device_of_no_operand_take_a_device():
    """Their operands may be on the host, or there may be none."""
    kinds = (kind for module in (conv, conv_transpose, loop) for kind in vars(module).values())
    taking = {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Call) and kind.needs_device}
    assert {kind.mnemonic for kind in taking} == {
        "ttnn.conv2d", "ttnn.conv_transpose2d", "ttnn.empty", "ttnn.prepare_conv_bias",
        "ttnn.prepare_conv_transpose2d_bias", "ttnn.prepare_conv_transpose2d_weights", "ttnn.prepare_conv_weights",
    }  # fmt: skip
