"""The device on which ttc makes tensors of its own: the host, whatever the user's default is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def on_host() -> Iterator[None]:
    """Let torch make tensors on the host: under `with torch.device("meta")` tables would have no numbers.

    The user's own `forward` is traced outside, where the user's default holds.
    """
    if torch.get_default_device().type == "cpu":
        yield
        return
    with torch.device("cpu"):
        yield
