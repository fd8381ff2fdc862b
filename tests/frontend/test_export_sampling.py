"""Grids, places of max pools, and calls of which more results are read than there are readings of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ttc
from ttc.errors import InputError, Refused
from ttc.frontend.export import export


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable):
        super().__init__()
        self.function = function

    def forward(self, *xs):
        return self.function(*xs)


def agrees(function: Callable, *xs: torch.Tensor) -> None:
    found, wanted = ttc.compile(Function(function), xs, dtype="fp32")(*xs), function(*xs)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def images(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grids_within_and_beyond_the_image(mode: str, padding: str, aligned: bool):
    grid = torch.rand(2, 5, 6, 2, generator=torch.Generator().manual_seed(1)) * 4 - 2
    agrees(lambda x, g: F.grid_sample(x, g, mode, padding, aligned), images(2, 3, 6, 7), grid)


def test_a_spatial_transformer():
    size = [2, 3, 6, 7]
    agrees(
        lambda x, t: F.grid_sample(x, F.affine_grid(t, size, align_corners=False), align_corners=False),
        images(*size), images(2, 2, 3),
    )  # fmt: skip


@pytest.mark.parametrize(
    "window", [(2, 2, 0, 1, False), (3, 2, 1, 1, True), (3, 1, 1, 2, False), ((2, 3), (2, 1), (1, 0), 1, False)]
)
def test_places_of_max_pools(window: tuple):
    agrees(lambda x: F.max_pool2d(x, *window, return_indices=True), images(2, 3, 8, 9))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_places_beside_padding_in_other_dtypes(dtype: torch.dtype):
    x = (torch.randperm(126, generator=torch.Generator().manual_seed(1)) - 200).reshape(1, 2, 7, 9).to(dtype)
    agrees(lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True, return_indices=True), x)


def test_the_first_of_equal_elements_is_the_place():
    x = torch.tensor([[[[1.0, 3, 3, 0], [3, 3, 0, 0], [-1, -1, 0, 0], [-1, -1, 0, -0.0]]]])
    agrees(lambda x: F.max_pool2d(x, 2, return_indices=True), x)
    agrees(lambda x: F.max_pool2d(x, 3, 1, 1, return_indices=True), torch.full((1, 1, 4, 4), -torch.inf))


def test_pools_of_one_image_one_dimension_and_adaptive_ones():
    agrees(lambda x: F.max_pool2d(x, 2, return_indices=True), images(3, 8, 8))
    agrees(lambda x: F.max_pool1d(x, 2, return_indices=True), images(2, 3, 8))
    agrees(lambda x: F.adaptive_max_pool2d(x, 2, return_indices=True), images(2, 3, 8, 8))


def test_what_a_pool_has_dropped_is_zero_when_it_is_undone():
    agrees(lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), images(2, 2, 8, 8))


def test_a_pool_whose_places_nobody_reads_is_one_op():
    graph = export(Function(lambda x: F.max_pool2d(x, 2, return_indices=True)[0]), (images(1, 2, 4, 4),)).graph
    assert [node.op.mnemonic for node in graph.nodes] == ["input", "max_pool"]


def test_results_without_a_reading_are_refused_by_number():
    with pytest.raises(Refused, match=r"result 1 of aten\.native_layer_norm\.default is not supported"):
        export(Function(lambda x: torch.native_layer_norm(x, (8,), None, None, 1e-5)[1]), (images(3, 8),))


@pytest.mark.parametrize("slopes", [(0.1, 0.3), (-0.5, 0.5)])
def test_random_slopes_are_their_mean_in_eval_mode(slopes: tuple[float, float]):
    agrees(lambda x: F.rrelu(x, *slopes), images(3, 8))


def test_traces_and_distances():
    agrees(torch.trace, images(5, 7))
    agrees(torch.cdist, images(2, 5, 4), images(2, 6, 4))
    agrees(lambda x, y: torch.cdist(x, y, p=1.0), images(5, 4), images(6, 4))


# ------------------------------------------------------------ what torch cannot decompose, and what models change


def test_a_tensor_that_a_model_changes_and_does_not_own_is_told_in_a_sentence():
    class Changes(nn.Module):
        def __init__(self):
            super().__init__()
            self.k = torch.zeros(3)

        def forward(self, x):
            self.k.add_(x)
            return self.k * x

    with pytest.raises(InputError, match=r"torch cannot decompose the exported program: .*Constant k is mutated"):
        ttc.compile(Changes(), torch.ones(3))


def test_a_parameter_that_a_model_changes_is_refused():
    class Changes(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.zeros(3))

        def forward(self, x):
            with torch.no_grad():
                self.w.add_(1)
            return x + self.w

    with pytest.raises(Refused, match="parameter 'w' is changed by the model"):
        ttc.compile(Changes(), torch.ones(3))


class Pair:
    """A result whose class makes a tensor whenever it is taken apart, as caches do."""

    def __init__(self, first: torch.Tensor, second: torch.Tensor):
        self.first, self.second = first, second


torch.utils._pytree.register_pytree_node(
    Pair, lambda pair: ([pair.first, pair.second + torch.tensor([1.0])], None), lambda parts, _: Pair(*parts)
)


def test_classes_of_results_that_make_tensors_of_their_own():
    class Makes(nn.Module):
        def forward(self, x):
            return Pair(x * 2, x + 1)

    x = images(3)
    found = ttc.compile(torch.export.export(Makes(), (x,)), dtype="fp32")(x)
    assert isinstance(found, Pair)
    torch.testing.assert_close(found.first, x * 2)


def test_places_of_windows_of_several_sizes_are_refused():
    with pytest.raises(Refused, match="adaptive max pooling with indices needs output sizes that divide"):
        ttc.compile(Function(lambda x: F.adaptive_max_pool2d(x, 3, return_indices=True)), (images(1, 2, 8, 8),))
