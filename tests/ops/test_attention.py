"""What attention means for queries that see no key, with and without causality."""

import pytest
import torch

from tests.ops.written import op_of
from ttc import ops

ATTENTION = 'attention(q=f32[1,1,2,4], k=f32[1,1,2,4], v=f32[1,1,2,4], mask=MASK, causal=CAUSAL, empty="EMPTY")'


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kind", ["bool", "f32"])
@pytest.mark.parametrize(("empty", "wanted"), [("zero", 0.0), ("nan", float("nan"))])
def test_a_query_without_keys(kind, causal, empty, wanted):
    """The first query may see the second key alone, which causality takes; the second sees the first."""
    mask = torch.tensor([[False, True], [True, False]]).reshape(1, 1, 2, 2)
    given = mask if kind == "bool" else torch.where(mask, 0.0, -torch.inf)
    text = ATTENTION.replace("MASK", f"{kind}[1,1,2,2]").replace("CAUSAL", str(causal).lower())
    op = op_of(text.replace("EMPTY", empty))
    v = torch.arange(8.0).reshape(1, 1, 2, 4)
    (y,) = ops.evaluate_op(op, lambda value: given if value is op.mask else v)
    first = torch.full((4,), wanted) if causal else v[0, 0, 1]
    torch.testing.assert_close(y[0, 0], torch.stack([first, v[0, 0, 0]]), equal_nan=True)


def test_without_a_mask_nothing_is_empty():
    op = op_of('attention(q=f32[1,1,2,4], k=f32[1,1,2,4], v=f32[1,1,2,4], causal=true, empty="nan")')
    (y,) = ops.evaluate_op(op, lambda _: torch.ones(1, 1, 2, 4))
    assert torch.equal(y, torch.ones(1, 1, 2, 4))
