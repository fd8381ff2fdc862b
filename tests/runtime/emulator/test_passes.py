"""The matrix engine's passes against products worked out by hand, bit by bit."""

import pytest
import torch

from tests.runtime.emulator.emulated import emulated
from ttc.calls import reduce
from ttc.calls.call import ComputeKernelConfig, MathFidelity
from ttc.calls.matmul import Linear, Matmul
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.passes import cut, matrix_operand, passes, product

LoFi, HiFi2, HiFi3, HiFi4 = MathFidelity


def config(fidelity: MathFidelity, **keywords: bool) -> ComputeKernelConfig:
    return ComputeKernelConfig(fidelity, **keywords)


def times(left: float, right: float, fidelity: MathFidelity) -> float:
    """One product of two numbers."""
    return product(torch.tensor([left]), torch.tensor([right]), config(fidelity), torch.mul).item()


@pytest.mark.parametrize(
    ("left", "right", "results"),
    [
        # 7.96875 = 11111111b / 32 has 8 significant bits; the left side's first pass reads 7 of them: 7.9375.
        (7.96875, 1.3125, [7.9375 * 1.3125, 7.9375 * 1.3125, 7.96875 * 1.3125, 7.96875 * 1.3125]),
        # The right side's first pass reads 5: 7.75; its second pass reads the other 3.
        (1.3125, 7.96875, [1.3125 * 7.75, 1.3125 * 7.96875, 1.3125 * 7.96875, 1.3125 * 7.96875]),
        # Both have a remainder: HiFi3 leaves out the product of the remainders, 2^-7 * 2^-5.
        (1 + 2**-7, 1 + 2**-5, [1, 1 + 2**-5, (1 + 2**-7) * (1 + 2**-5) - 2**-12, (1 + 2**-7) * (1 + 2**-5)]),
        # TF32 keeps 10 bits of the left side; the right side loses the last of them in every pass.
        (1 + 2**-10, 1.0, [1, 1, 1 + 2**-10, 1 + 2**-10]),
        (1.0, 1 + 2**-10, [1, 1, 1, 1]),
        (1.0, 1 + 2**-9, [1, 1 + 2**-9, 1 + 2**-9, 1 + 2**-9]),
        (1 + 2**-11, 1 + 2**-11, [1, 1, 1, 1]),
        (-7.96875, 1.0, [-7.9375, -7.9375, -7.96875, -7.96875]),
        (0.0, 3.0, [0, 0, 0, 0]),
    ],
)
def test_a_product_has_the_bits_of_its_passes(left: float, right: float, results: list[float]):
    assert [times(left, right, fidelity) for fidelity in MathFidelity] == results


def test_passes_add_up_to_what_was_read():
    left, right = torch.randn(100), torch.randn(100)
    for fidelity in MathFidelity:
        read = sum(a.double() * b.double() for a, b in passes(left, right, fidelity))
        remainders = (cut(left, 10) - cut(left, 6)).double() * (cut(right, 9) - cut(right, 4)).double()
        whole = cut(left, 10).double() * cut(right, 9).double()
        if fidelity is HiFi4:
            assert torch.equal(read, whole)
        if fidelity is HiFi3:
            assert torch.equal(read, whole - remainders)


@pytest.mark.parametrize("fidelity", MathFidelity)
def test_infinity_and_nan_stay(fidelity: MathFidelity):
    inf = torch.tensor([torch.inf, -torch.inf, torch.nan, 1.0])
    for found in (
        product(inf, torch.full((4,), 2.0), config(fidelity), torch.mul),
        product(torch.full((4,), 2.0), inf, config(fidelity), torch.mul),
    ):
        assert torch.equal(found[[0, 1, 3]], torch.tensor([torch.inf, -torch.inf, 2.0]))
        assert found[2].isnan()


def test_sums_in_bf16_are_rounded_after_each_pass():
    left, right = torch.tensor([[1 + 2**-7]]), torch.tensor([[1 + 2**-5]])
    kept = product(left, right, config(HiFi3, fp32_dest_acc_en=False), torch.matmul)
    # (1)(1 + 2^-5), then + 2^-7 (1): 1.0390625 = 133 / 128 is a bf16; in fp32 sums HiFi3 has the same.
    assert kept.item() == 133 / 128
    fine = product(left, torch.tensor([[1 + 2**-9]]), config(HiFi3), torch.matmul).item()
    coarse = product(left, torch.tensor([[1 + 2**-9]]), config(HiFi3, fp32_dest_acc_en=False), torch.matmul).item()
    assert (fine, coarse) == (1 + 2**-9 + 2**-7, 1 + 2**-7)


def test_cut_drops_bits_and_never_rounds_up():
    assert cut(torch.tensor([1 + 2**-10 + 2**-11, 1.999999]), 10).tolist() == [1 + 2**-10, 2 - 2**-10]
    assert cut(torch.tensor([-1.999999]), 4).tolist() == [-(2 - 2**-4)]


def test_operands_of_sums_are_cut_to_tf32_and_in_one_pass_to_five_bits():
    x = torch.tensor([1 + 2**-5 + 2**-10 + 2**-11, torch.inf])
    assert matrix_operand(x, Mode.exact) is x
    for fidelity, read in [(LoFi, 1.0), (HiFi2, 1 + 2**-5 + 2**-10), (HiFi4, 1 + 2**-5 + 2**-10)]:
        assert matrix_operand(x, Mode.tensix, config(fidelity)).tolist() == [read, torch.inf]
    assert matrix_operand(x, Mode.tensix, None)[0].item() == 1 + 2**-5 + 2**-10


def test_each_call_makes_the_passes_that_it_states():
    x, w = torch.tensor([[7.96875]]), torch.tensor([[1.0]])
    for fidelity, read in [(HiFi2, 7.9375), (HiFi3, 7.96875)]:
        stated = {"compute_kernel_config": config(fidelity)}
        assert emulated(lambda a, b, s=stated: Matmul(a, b, **s), x, w, mode="tensix")[0] == read
        assert emulated(lambda a, b, s=stated: Linear(a, b, **s), x, w, mode="tensix")[0] == read
    for fidelity, read in [(LoFi, 1.0), (HiFi2, 1 + 2**-5)]:
        stated = {"compute_kernel_config": config(fidelity)}
        x = torch.full((1, 1), 1 + 2**-5)
        assert emulated(lambda x, s=stated: reduce.Sum(x, (1,), **s), x, mode="tensix")[0] == read


EIGHT_BITS = torch.arange(128, 256).float()
"""All mantissas of bf16."""


@pytest.mark.parametrize("fidelity", [HiFi3, HiFi4])
def test_products_with_zeros_and_ones_are_exact(fidelity: MathFidelity):
    """One-hot gathers, prefix sums as products with a triangle, permutations: bf16 values on either side."""
    one_hot, triangle = torch.eye(128)[torch.randperm(128)], torch.ones(128, 128).tril()
    for zeros_and_ones in (one_hot, triangle):
        wanted = zeros_and_ones @ EIGHT_BITS
        on_the_right = product(zeros_and_ones, EIGHT_BITS[:, None], config(fidelity), torch.matmul)
        assert torch.equal(on_the_right[:, 0], wanted)
        on_the_left = product(EIGHT_BITS[None], zeros_and_ones.T, config(fidelity), torch.matmul)
        assert torch.equal(on_the_left[0], wanted)


def test_two_passes_are_exact_for_values_on_the_right_alone():
    eye = torch.eye(128)
    assert torch.equal(product(eye, EIGHT_BITS[:, None], config(HiFi2), torch.matmul)[:, 0], EIGHT_BITS)
    assert not torch.equal(product(EIGHT_BITS[None], eye, config(HiFi2), torch.matmul)[0], EIGHT_BITS)
