"""Writes into pools of blocks, and attention to them, as one node of a trace each.

`torch.ops.ttc.fill_blocks`, `write_rows` and `paged_attention` take the operands of the ops of these names
(`ttc/ops/paged.py`). The ops have shapes and no kernels: they are only traced.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ttc.frontend.export.recurrent_ops import LIBRARY

TAGS = (torch.Tag.pt2_compliant_tag,)

LIBRARY.define("fill_blocks(Tensor pool, Tensor rows, Tensor blocks) -> Tensor", tags=TAGS)
LIBRARY.define("write_rows(Tensor pool, Tensor rows, Tensor table, Tensor positions) -> Tensor", tags=TAGS)
LIBRARY.define(
    "paged_attention(Tensor q, Tensor keys, Tensor values, Tensor table, Tensor positions, float scale, int? window) "
    "-> Tensor",
    tags=TAGS,
)


def _as_the_first(first: Tensor, *rest: object) -> Tensor:
    return torch.empty_like(first)


for _name in ("fill_blocks", "write_rows", "paged_attention"):
    torch.library.register_fake(f"ttc::{_name}", _as_the_first, lib=LIBRARY)
