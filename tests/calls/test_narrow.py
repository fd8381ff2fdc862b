"""Views of columns: beside the real library, in numbers, and told apart where a call reads two of one tensor."""

from dataclasses import replace

import pytest
import torch

from tests.calls.programs import BF16, F32, assert_as_predicted, one, spec, values
from tests.cards import EACH_CARD
from ttc.calls.binary import Multiply
from ttc.calls.lints import read_twice
from ttc.calls.narrow import Narrow
from ttc.calls.shape import Reshape
from ttc.calls.shards import width_shards
from ttc.calls.target import TARGETS
from ttc.errors import Refusal
from ttc.ir import DRAM, L1, Buffer, Builder, Input, Layout, MemoryConfig, Sharding, Spec
from ttc.runtime.emulator.device import EmulatorDevice


def sharded(columns: int, grid: tuple[int, int], *outer: int, dtype=BF16) -> Spec:
    plain = spec(dtype, *outer, columns)
    memory = width_shards(plain, grid)
    assert memory is not None
    return spec(dtype, *outer, columns, memory=memory)


@pytest.mark.parametrize("target", EACH_CARD)
def test_as_predicted(target: str, ttnn_python: str):
    cases = [
        (sharded(1024, (8, 4), 1, 1, 1), 256, 512),
        (sharded(1024, (8, 4), 1, 2, 40), 0, 256),
        (sharded(768, (8, 3), 1, 1, 1, dtype=F32), 256, 512),
        (sharded(1024, (4, 1), 1, 1, 1), 512, 512),
        (sharded(1024, (8, 2), 3, 5), 640, 128),
        (sharded(64, (1, 2), 33), 32, 32),
        (spec(BF16, 72, 2, 40, 96), 24, 5),  # entries of 24 tiles
        (spec(F32, 72, 3, 64), 24, 48),
    ]
    programs = [
        one(
            lambda x, start=start, length=length: Narrow(
                x, 0 if x.type.memory == DRAM else x.type.rank - 1, start, length
            ),
            given,
        )
        for given, start, length in cases
    ]
    assert_as_predicted(programs, target)


@pytest.mark.parametrize("target", EACH_CARD)
def test_a_view_costs_no_program_and_no_memory(target: str):
    (x,) = values(sharded(1024, (8, 4), 1, 1, 1))
    call = Narrow(x, 3, 256, 256)
    assert call.dispatch(TARGETS[target]).programs == 0
    assert call.alias() is x


def test_the_columns_are_those_from_the_start_on():
    (x,) = values(sharded(128, (4, 1), 2, 3))
    numbers = torch.arange(2 * 3 * 128, dtype=torch.float32).reshape(2, 3, 128)
    (found,) = EmulatorDevice().run(Narrow(x, 2, 32, 64), {"input_tensor": numbers}, (Narrow(x, 2, 32, 64).infer(),))
    assert torch.equal(found, numbers[..., 32:96])


def test_views_of_other_columns_are_not_one_buffer_and_views_of_the_same_are():
    builder = Builder()
    whole = builder(Input(sharded(128, (2, 2), 1, 1, 1), "x"))
    first, second = (builder(Narrow(whole, 3, start, 64)) for start in (0, 64))
    again = builder(Reshape(first, (1, 1, 64)))
    assert read_twice(Multiply(first, second, memory_config=L1)) == []
    assert read_twice(Multiply(first, again, memory_config=L1)) == [again]
    assert read_twice(Multiply(whole, whole)) == [whole]


EIGHT = sharded(256, (4, 2), 1, 1, 2)
WIDTH = MemoryConfig(Buffer.L1, Sharding.WIDTH_SHARDED)
ENTRIES = "entries are viewed of tensors in TILE layout along the outermost of at least 3 dimensions"
SHARDS = "columns are viewed of tensors in TILE layout and in stated width shards"


@pytest.mark.parametrize(
    ("given", "dim", "start", "length", "message"),
    [
        (replace(EIGHT, memory=L1), 3, 128, 128, SHARDS),
        (replace(EIGHT, memory=WIDTH), 3, 128, 128, SHARDS),
        (replace(EIGHT, memory=replace(EIGHT.memory, sharding=Sharding.HEIGHT_SHARDED)), 3, 128, 128, SHARDS),
        (replace(EIGHT, memory=replace(EIGHT.memory, buffer=Buffer.DRAM)), 3, 128, 128, SHARDS),
        (replace(EIGHT, layout=Layout.ROW_MAJOR), 3, 128, 128, SHARDS),
        (spec(BF16, 8, 32, 32), 1, 0, 4, ENTRIES),
        (spec(BF16, 8, 32), 0, 0, 4, ENTRIES),
        (spec(BF16, 8, 32, 32, layout=Layout.ROW_MAJOR), 0, 0, 4, ENTRIES),
        (spec(BF16, 8, 32, 32), 0, 4, 5, "5 entries from 4 on are none of 8"),
        (spec(BF16, 8, 32, 32), 0, 4, 0, "0 entries from 4 on are none of 8"),
        (EIGHT, 2, 128, 128, "dimension 2 of [1, 1, 2, 256] does not count columns"),
        (EIGHT, -1, 128, 128, "dimension -1 of [1, 1, 2, 256] does not count columns"),
        (EIGHT, 3, 128, 160, "160 columns from 128 on are none of 256"),
        (EIGHT, 3, 128, 0, "0 columns from 128 on are none of 256"),
        (EIGHT, 3, -32, 128, "128 columns from -32 on are none of 256"),
        (EIGHT, 3, 112, 128, "128 columns from 112 on are no whole shards of 32"),
        (EIGHT, 3, 128, 16, "16 columns from 128 on are no whole shards of 32"),
        (EIGHT, 3, 96, 128, "shards 3 to 6 form no rectangle in rows of 4 cores"),
        (EIGHT, 3, 64, 192, "shards 2 to 7 form no rectangle in rows of 4 cores"),
        (EIGHT, 3, 0, 160, "shards 0 to 4 form no rectangle in rows of 4 cores"),
    ],
)
def test_other_columns_are_refused(given: Spec, dim: int, start: int, length: int, message: str):
    (x,) = values(given)
    with pytest.raises(Refusal) as error:
        Narrow(x, dim, start, length).infer()
    assert str(error.value) == message


@pytest.mark.parametrize(("start", "length"), [(0, 256), (128, 128), (0, 32), (160, 96), (224, 32)])
def test_these_columns_are_viewed(start: int, length: int):
    (x,) = values(EIGHT)
    assert Narrow(x, 3, start, length).infer() == replace(EIGHT, shape=(1, 1, 2, length), memory=WIDTH)
