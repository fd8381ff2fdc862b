"""Determinants by cofactors, beside torch's own, and what has none."""

import pytest
import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.determinant import determinant
from ttc.ir import Builder, DType, Graph, Input, TensorType
from ttc.ops.expr import Expr


def built(*shape: int) -> Graph:
    """The determinants of x, which has this shape."""
    b = Builder()
    x = Expr(b(Input(TensorType(DType.f32, shape), "x")), b)
    return b.finish([("y", determinant(x).value)])


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 3), (4, 4), (5, 3, 3), (2, 3, 4, 4)])
def test_beside_torch(shape: tuple[int, ...]):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ops.evaluate(built(*shape), {"x": x})["y"], torch.linalg.det(x))


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (4, 1, 2), (5, 5)])
def test_what_has_none_or_is_too_large_is_refused(shape: tuple[int, ...]):
    with pytest.raises(Refusal, match="square matrices of up to 4 rows"):
        built(*shape)
