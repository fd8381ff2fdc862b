import pytest
import torch

import ttc
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
        torch.scatter_reduce(x, 0, i[:0], y, "{reduce}", include_self=False)
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


@pytest.mark.parametrize("reduce", ["sum", "amax", "amin"])
def test_flags_into_places(reduce):
    each_agrees(
        f"""
        torch.scatter_reduce(x > 0, 0, i, y > 0, "{reduce}")
        torch.scatter_reduce(x > 0, 0, i, y > 0, "{reduce}", include_self=False)
        """,
        x=X, y=Y, i=PLACES,
    )  # fmt: skip


def test_part_of_the_other_dimensions_is_refused():
    with pytest.raises(Refused, match="into part of"):
        each_agrees('torch.scatter_reduce(x, 0, i[:, :2], y, "amax")', x=X, y=Y, i=PLACES)


def test_elements_where_a_mask_holds():
    each_agrees(
        """
        torch.masked_scatter(x, x > 0, y)
        torch.masked_scatter(x, x > 9, y)
        torch.masked_scatter(x, x < 9, y)
        torch.masked_scatter(x, (i == 1)[0], y)
        torch.masked_scatter(x[0], i == 1, y)
        torch.masked_scatter(x, (i[:, :1] == 1).expand(3, 4), y)
        torch.masked_scatter(x, (i[:, :1] < 9).expand(3, 4), y[:, None])
        torch.masked_scatter(x, (i[:, :1] > 9).expand(3, 4), y[:0])
        torch.masked_scatter(x, (i[:1, :] == 1).expand(3, 4), y)
        torch.masked_scatter(x, x == x.max(), y[0, :1])
        torch.masked_scatter(i, i == 1, -i)
        """,
        x=X, y=Y, i=PLACES,
    )  # fmt: skip


def test_a_picture_among_tokens():
    """Embeddings of a picture take the places of tokens that stand for its patches, as whole rows."""

    class Mixed(torch.nn.Module):
        def forward(self, ids: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
            tokens = torch.nn.functional.one_hot(ids, 8).float()
            return tokens.masked_scatter((ids == 7)[..., None].expand_as(tokens), picture)

    ids, picture = torch.tensor([[1, 7, 7, 2], [7, 0, 3, 7]]), torch.randn(4, 8)
    compiled = ttc.compile(Mixed(), (ids, picture), dtype="fp32")
    found = compiled.run({"ids": ids.numpy(), "picture": picture.numpy()}, "emulator")
    assert torch.equal(torch.from_numpy(next(iter(found.values()))), Mixed()(ids, picture))
    assert "[64]" not in str(compiled.build.program.graph)  # no element by itself
