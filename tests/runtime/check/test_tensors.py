"""DRAM is counted by buffers: tensors share them, calls free them, loops hand them on."""

from ttc.ir import Builder, Input, Spec, Value
from ttc.ir.types import DType
from ttc.runtime.check.tensors import Tensors


class Card:
    """Tensors are pairs: the number of a buffer and its bytes; None is not in DRAM."""

    def dram_buffer(self, tensor):
        return tensor


def values(count: int) -> list[Value]:
    b = Builder()
    return [b(Input(Spec(DType.bf16, (32, 32)), f"x{i}")) for i in range(count)]


def test_a_tensor_counts_until_the_tensor_is_released():
    x, y, z = values(3)
    tensors = Tensors(Card())
    tensors[x], tensors[y], tensors[z] = (7, 100), (8, 20), None
    assert tensors.dram == 120
    assert tensors[x] == (7, 100)
    tensors.release((x, z))
    assert tensors.dram == 20


def test_a_buffer_counts_once_and_goes_with_its_last_tensor():
    x, y = values(2)
    tensors = Tensors(Card())
    tensors[x], tensors[y] = (7, 100), (7, 100)
    assert tensors.dram == 100
    tensors.release([x])
    assert tensors.dram == 100
    tensors.release([y])
    assert tensors.dram == 0


def test_a_buffer_that_was_freed_is_gone_for_all_its_tensors():
    x, y, z = values(3)
    tensors = Tensors(Card())
    tensors[x], tensors[y], tensors[z] = (7, 100), (7, 100), (8, 20)
    tensors.free(x)
    assert tensors.dram == 20
    tensors.release((x, y))
    assert tensors.dram == 20


def test_a_number_that_is_given_again_counts_anew():
    x, y = values(2)
    tensors = Tensors(Card())
    tensors[x] = (7, 100)
    tensors.free(x)
    tensors[y] = (7, 40)
    assert tensors.dram == 40


def test_what_a_loop_is_given_is_the_same_inside():
    x, y, inner_x, inner_y = values(4)
    tensors = Tensors(Card())
    tensors[x] = (7, 100)
    body = Tensors(Card(), tensors)
    body[inner_x], body[inner_y] = (7, 100), (8, 20)
    assert tensors.dram == body.dram == 120
    body.release_all()
    assert tensors.dram == 100
    tensors[y] = (8, 20)
    assert tensors.dram == 120
