import pytest
import torch

from tests.frontend.exporting import each_agrees
from ttc.errors import Refused

torch.manual_seed(0)
X, Y = torch.randn(3, 4), torch.randn(3, 4)
PLACES = torch.randint(0, 3, (3, 4))


@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
def test_reductions_into_places(reduce):
    each_agrees(
        f"""
        torch.scatter_reduce(x, 0, i, y, "{reduce}")
        torch.scatter_reduce(x, 1, i, y, "{reduce}")
        torch.scatter_reduce(x, 0, i, y, "{reduce}", include_self=False)
        torch.scatter_reduce((x * 9).long(), 0, i, (y * 9).long(), "{reduce}", include_self=False)
        torch.scatter_reduce(x, 0, i[:2], y, "{reduce}")
        """,
        x=X, y=Y, i=PLACES,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:index_reduce")
@pytest.mark.parametrize("reduce", ["prod", "mean", "amax", "amin"])
def test_reductions_of_whole_lines(reduce):
    each_agrees(
        f"""
        torch.index_reduce(x, 1, torch.tensor([1, 1, 3, 1]), y, "{reduce}")
        torch.index_reduce(x, 1, torch.tensor([1, 1, 3, 1]), y, "{reduce}", include_self=False)
        torch.index_reduce(x, 0, torch.tensor([2]), y[:1], "{reduce}")
        """,
        x=X, y=Y,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:The reduce argument")
def test_sums_and_products_into_places():
    each_agrees(
        """
        torch.scatter(x, 0, i, y, reduce="add")
        torch.scatter(x, 0, i, y, reduce="multiply")
        torch.scatter(x, 0, i, 2.0, reduce="multiply")
        torch.put(x, torch.tensor([0, -1, 5]), y[0, :3])
        torch.put(x, torch.tensor([5, 5]), y[0, :2], accumulate=True)
        """,
        x=X, y=Y, i=PLACES,
    )  # fmt: skip


def test_part_of_the_other_dimensions_is_refused():
    with pytest.raises(Refused, match="into part of"):
        each_agrees('torch.scatter_reduce(x, 0, i[:, :2], y, "amax")', x=X, y=Y, i=PLACES)
