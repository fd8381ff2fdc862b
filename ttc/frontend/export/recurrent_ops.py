"""Recurrences as one node of a trace each, whatever their length: `torch.ops.ttc.lstm`, `gru`, `rnn_tanh`, `rnn_relu`.

torch traces its own step by step. Operands are those of aten's (x [T, B, I], [B, T, I] if batch_first) with `lengths`,
i64[B] on the CPU or None, after x. The ops have shapes and no kernels: they are only traced.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

LIBRARY = torch.library.Library("ttc", "DEF")

OPTIONS = "bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first"


def _define(name: str, states: str, results: str) -> None:
    schema = f"{name}(Tensor x, Tensor? lengths, {states} hx, Tensor[] params, {OPTIONS}) -> ({results})"
    LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))


_define("lstm", "Tensor[]", "Tensor, Tensor, Tensor")
for _name in ("gru", "rnn_tanh", "rnn_relu"):
    _define(_name, "Tensor", "Tensor, Tensor")


@torch.library.register_fake("ttc::lstm", lib=LIBRARY)
def _lstm(x: Tensor, lengths: Tensor | None, hx: list[Tensor], *rest: Any) -> tuple[Tensor, ...]:
    return _output(x, hx[0], *rest), *(torch.empty_like(state) for state in hx)


def _one_state(x: Tensor, lengths: Tensor | None, hx: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    return _output(x, hx, *rest), torch.empty_like(hx)


for _name in ("gru", "rnn_tanh", "rnn_relu"):
    torch.library.register_fake(f"ttc::{_name}", _one_state, lib=LIBRARY)


def _output(
    x: Tensor, h: Tensor, params: list[Tensor], has_biases: bool, num_layers: int, dropout: float, train: bool,
    bidirectional: bool, batch_first: bool,
) -> Tensor:  # fmt: skip
    return x.new_empty((*x.shape[:2], h.shape[2] * (1 + bidirectional)))
