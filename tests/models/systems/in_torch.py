"""The stages of a system as modules in torch, and a package that draws the stages' noise."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from unittest import mock

import numpy as np
import torch

from ttc.models.model import Built
from ttc.validation.system import Drawing


class InTorch:
    """Runs stages by name as a session does, in torch, with noise as a session draws it."""

    def __init__(self, built: Mapping[str, Built]):
        self._built = built

    def run(
        self, stage: str, inputs: Mapping[str, Any], keep: Collection[str] = (), seed: int | None = None
    ) -> dict[str, Any]:
        given = {name: torch.from_numpy(np.asarray(item)) for name, item in inputs.items()}
        with torch.no_grad(), Drawing(seed or 0):
            found = self._built[stage][0](**given)
        named = found if isinstance(found, dict) else {"output": found}
        return {name: item.numpy() for name, item in named.items()}


def drawn_apart(durations: int, latents: int) -> Any:
    """Let a package draw durations (randn) and latents (randn_like) each as a stage that is run with that seed does."""
    randn, randn_like = torch.randn, torch.randn_like

    def seeded_randn(*shape: int) -> torch.Tensor:
        with Drawing(durations):
            return randn(*shape)

    def seeded_randn_like(like: torch.Tensor) -> torch.Tensor:
        with Drawing(latents):
            return randn_like(like)

    return mock.patch.multiple(torch, randn=seeded_randn, randn_like=seeded_randn_like)
