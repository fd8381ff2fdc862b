"""Every aten op that the front end reads, called as its schema allows, beside eager torch.

`TTC_DRAWS=20 pytest tests/frontend/test_drawn_calls.py` tries more calls of each op, `TTC_SEED=7` others.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice

import pytest
import torch

from tests.frontend.drawn_calls import calls
from tests.frontend.exporting import agree
from tests.frontend.test_export_table import overloads
from ttc.errors import InputError, Refused
from ttc.frontend.export.table import TABLE

DRAWS = int(os.environ.get("TTC_DRAWS", "1"))
SEED = int(os.environ.get("TTC_SEED", "0"))

LEFT_OUT = {
    "bucketize": "boundaries that do not ascend have no meaning",
    "searchsorted": "boundaries that do not ascend have no meaning",
    "_weight_norm": "torch reads a g of another shape by its place in memory",
    "_upsample_bilinear2d_aa": "torch's result depends on the memory format where an intermediate width is 1",
    "_upsample_bicubic2d_aa": "torch's result depends on the memory format where an intermediate width is 1",
    "_native_batch_norm_legit": "torch reads past the end of statistics of another size",
    "instance_norm": "torch refuses a sample of one element in its own functions alone",
    "topk": "torch gives elements that need not be sorted in any order",
    "max_unpool2d": "places twice or outside of the output have no meaning",
    "max_unpool3d": "places twice or outside of the output have no meaning",
    **dict.fromkeys(
        ("empty", "empty_like", "new_empty", "empty_permuted", "empty_strided", "new_empty_strided"),
        "its numbers are not defined",
    ),
    **dict.fromkeys(
        ("bernoulli", "normal", "normal_functional", "uniform", "rand_like", "randn_like", "randint", "randint_like",
         "native_dropout", "dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "rrelu",
         "rrelu_with_noise"),
        "random numbers are inputs",
    ),
}  # fmt: skip
"""Names of ops that are not called, with reasons."""

NAMES = [name for name in sorted(TABLE) if name.split(".")[0] not in LEFT_OUT and "::" not in name]
OPS = [op for name in NAMES for op in overloads(name)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("op", OPS, ids=str)
def test_a_call_is_read_as_eager_torch_runs_it(op: torch._ops.OpOverload):
    for call in islice(calls(op, SEED), DRAWS):
        with suppress(InputError, Refused):  # torch's own export refuses some calls that eager torch takes
            agree(call, *call.tensors, tolerance=1e-4)
