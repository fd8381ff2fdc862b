"""The settings of torch under which ttc makes and computes tensors of its own, whatever the user's are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def own_settings() -> Iterator[None]:
    """Compute on the host in the dtypes that are written, without gradients.

    Under a user's `torch.device("meta")` tables would have no numbers, under `torch.autocast` products of float32 would
    be of bfloat16, and what `torch.inference_mode` makes is not written in place outside. The user's own `forward` is
    traced under the user's settings.
    """
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if torch.is_autocast_enabled("cpu"):
            stack.enter_context(torch.autocast("cpu", enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(torch.no_grad())  # after inference mode, which turns gradients on where it is left
        yield
