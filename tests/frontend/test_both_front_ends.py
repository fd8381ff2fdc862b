"""ONNX operators and the torch functions of the same meaning: what one front end reads, the other reads too."""

import pytest
import torch

from tests.frontend.exporting import each_agrees
from ttc.frontend.onnx.table import find

PAIRS = {
    "BitShift": "i << 1",
    "BitCast": "x.view(torch.int32)",
    "Celu": "F.celu(x, 1.3)",
    "Col2Im": "F.fold(x.reshape(1, 4, 4), (3, 3), 2)",
    "CumProd": "torch.cumprod(x, 1)",
    "DepthToSpace": "F.pixel_shuffle(x[None], 2)",
    "Det": "torch.det(x[0])",
    "EyeLike": "torch.eye(2)",
    "GatherElements": "torch.gather(x, 1, i)",
    "GridSample": "F.grid_sample(x[None], x[:1, :, :].tanh()[..., None].expand(1, 2, 2, 2), align_corners=False)",
    "Mish": "F.mish(x)",
    "ReduceLogSumExp": "torch.logsumexp(x, 1)",
    "ScatterElements": 'torch.scatter_reduce(x, 1, i, x, "prod")',
    "Shrink": "F.softshrink(x)",
    "Softsign": "F.softsign(x)",
    "SpaceToDepth": "F.pixel_unshuffle(x[None], 2)",
    "ThresholdedRelu": "F.threshold(x, 0.1, 0.0)",
    "TopK": "torch.topk(x, 1)",
    "Trilu": "torch.triu(x)",
}


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_onnx_reads_it(name):
    assert find("", name, 26) is not None


def test_torch_reads_them():
    x = torch.randn(4, 2, 2, generator=torch.Generator().manual_seed(0))
    each_agrees("\n".join(PAIRS.values()), x=x, i=torch.zeros(4, 2, 2, dtype=torch.int64))
