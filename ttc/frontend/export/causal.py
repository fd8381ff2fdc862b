"""Masks of torch's own transformers as they are given, while a module is traced.

`nn.TransformerEncoder` and `nn.TransformerDecoder` look into a mask for whether it is the causal one, which chooses a
kernel and no number: a trace has no numbers to look into. Here the mask is applied, unless the caller says is_causal.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from torch import Tensor
from torch.nn.modules import transformer


@contextmanager
def masks_as_given() -> Iterator[None]:
    """Let transformers of torch apply their masks without looking into them."""
    with patch.object(transformer, "_detect_is_causal_mask", _said):
        yield


def _said(mask: Tensor | None, is_causal: bool | None = None, size: int | None = None) -> bool:
    return is_causal is True
