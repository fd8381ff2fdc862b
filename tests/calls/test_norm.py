from dataclasses import replace
from typing import Any

import pytest

from tests.calls.programs import BF16, F32, I32, ROWS, One, assert_as_predicted, one, spec, values
from tests.cards import EACH_CARD
from tests.mock_cards import check_many
from ttc.calls.banks import bank_bytes
from ttc.calls.call import Call, ComputeKernelConfig
from ttc.calls.norm import LayerNorm, LogSoftmax, RmsNorm, Softmax, shards_config
from ttc.calls.shards import block_shards, width_shards
from ttc.calls.target import TARGETS
from ttc.errors import Refusal
from ttc.ir import DRAM, DType, Value

EXACT = ComputeKernelConfig()


def test_parameters_are_one_row():
    x, row, wide = values(spec(BF16, 2, 33, 40), spec(BF16, 1, 1, 1, 40), spec(BF16, 40, 1))
    assert LayerNorm(x, weight=row, bias=row).infer() == x.type
    with pytest.raises(Refusal, match=r"weight and bias must hold 40 elements, got \[40, 1\]"):
        RmsNorm(x, weight=wide).infer()


def test_refusals_name_the_culprit():
    x, i, r, other = values(spec(BF16, 2, 40), spec(I32, 2, 40), spec(BF16, 2, 40, layout=ROWS), spec(BF16, 1, 40))
    with pytest.raises(Refusal, match="input_tensor is i32"):
        Softmax(i, 1).infer()
    with pytest.raises(Refusal, match="input_tensor is in ROW_MAJOR layout"):
        LayerNorm(r).infer()
    with pytest.raises(Refusal, match=r"the residual \[1, 40\] must have the shape of the input, \[2, 40\]"):
        LayerNorm(x, residual_input_tensor=other).infer()


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_normalises_as_predicted(target: str, ttnn_python: str):
    programs = []
    for dtype in (BF16, F32):
        for width in (3, 50, 257, 768, 1408, 2304, 3072, 4096):
            x, row = spec(dtype, 1, 50, width), spec(dtype, width)
            programs += [
                one(lambda x: LayerNorm(x, compute_kernel_config=EXACT), x),
                one(lambda x, w: LayerNorm(x, weight=w, bias=w, compute_kernel_config=EXACT), x, row),
                one(
                    lambda x, r, w: LayerNorm(
                        x, weight=w, bias=w, residual_input_tensor=r, compute_kernel_config=EXACT
                    ),
                    x,
                    x,
                    row,
                ),
                one(lambda x, w: RmsNorm(x, weight=w, compute_kernel_config=EXACT), x, row),
                one(lambda x: Softmax(x, 2, compute_kernel_config=EXACT), x),
                one(lambda x: LogSoftmax(x, dim=2, compute_kernel_config=EXACT), x),
                one(lambda x: Softmax(x, 1, compute_kernel_config=EXACT), spec(dtype, 2, width, 40)),
            ]
    assert_as_predicted(programs, target)


SHARDED = (
    # rows, width, grid, weight, bias, residual, rms
    (197, 768, (8, 7), True, True, False, False),
    (197, 768, (4, 7), True, True, True, False),
    (384, 384, (6, 4), True, False, False, False),
    (350, 256, (8, 6), False, False, False, False),
    (96, 1024, (8, 3), True, False, True, True),
    (197, 512, (2, 4), False, False, False, True),
)

IN_LINES = (
    (32, 1024, (8, 4), True, False, False, True),
    (7, 1024, (8, 2), True, True, True, False),
    (64, 512, (2, 4), False, False, False, True),
    (1, 1024, (8, 1), True, False, True, True),
)
"""Norms of width shards: all cores of a grid share a row, line by line."""


def in_shards(dtype: DType, case: tuple) -> tuple[One, int]:
    """A norm of shards, and the bytes of its shards on a core."""
    rows, width, grid, weight, bias, residual, rms = case
    memory = (width_shards if case in IN_LINES else block_shards)(spec(dtype, 1, rows, width), grid)
    assert memory is not None
    x, row = spec(dtype, 1, rows, width, memory=memory), spec(BF16, width)

    def make(x: Value, *rest: Value) -> Call:
        names = [name for name, given in (("weight", weight), ("bias", bias), ("residual", residual)) if given]
        given: dict[str, Any] = dict(zip(names, rest, strict=True))
        if residual:
            given["residual_input_tensor"] = given.pop("residual")
        return (RmsNorm if rms else LayerNorm)(x, **given, program_config=shards_config(memory))

    operands = [x, *[row] * (weight + bias), *[x] * residual]
    return one(make, *operands), (2 + residual) * bank_bytes(x, TARGETS["n150"])


@pytest.mark.parametrize("target", EACH_CARD)
def test_norms_of_shards_need_the_l1_that_is_said(target: str, ttnn_python: str):
    """One program each, the circular buffers byte for byte beside the shards of operands and result."""
    made = [in_shards(dtype, case) for case in (*SHARDED, *IN_LINES) for dtype in (BF16, F32)]
    made.append(in_shards(DType.bfp8, SHARDED[0]))
    reports = check_many([program.text for program, _ in made], TARGETS[target])
    for (program, shards), report in zip(made, reports, strict=True):
        assert report.ok, f"{report.faults}\n{program.text}"
        assert (report.device_programs, report.conversions) == (1, 0)
        said = program.call.workspace(TARGETS[target]).circular_buffers
        assert said + shards == report.peak_l1_per_core, program.text


def test_norms_of_shards_state_their_config_and_stay_there():
    plain = spec(BF16, 1, 96, 256)
    memory = block_shards(plain, (4, 3))
    assert memory is not None
    config = shards_config(memory)
    assert (config.block_h, config.block_w, config.subblock_w) == (1, 2, 2)
    x, y = values(plain, replace(plain, memory=memory))
    assert LayerNorm(y, residual_input_tensor=y, program_config=config).infer() == y.type
    with pytest.raises(Refusal, match="a norm of these shards must state LayerNormShardedMultiCoreProgramConfig"):
        RmsNorm(y).infer()
    for call in (
        LayerNorm(y, program_config=config, memory_config=DRAM),
        LayerNorm(x, program_config=config, residual_input_tensor=y),
        RmsNorm(x, program_config=config, memory_config=memory),
    ):
        with pytest.raises(Refusal, match="operands and result of a norm of shards lie in one memory"):
            call.infer()
