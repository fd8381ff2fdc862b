"""Compile the small model of docs/tour.md, print its text after each stage, and save it as tour.ttc."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import ttc
from ttc.compiled.compiled import Compiled


class Tour(nn.Module):
    """x [2, T, 8] and lengths [2] to the largest of what an LSTM says of each sample, [2, 32]."""

    def __init__(self):
        super().__init__()
        self.w, self.b = nn.Parameter(torch.randn(8, 16)), nn.Parameter(torch.randn(16))
        self.scale, self.shift = nn.Parameter(torch.rand(16)), nn.Parameter(torch.randn(16))
        self.lstm = nn.LSTM(16, 32, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h = x @ self.w + self.b
        d = h - h.mean(-1, keepdim=True)
        h = d / torch.sqrt(d.pow(2).mean(-1, keepdim=True) + 1e-5) * self.scale + self.shift
        h = h * torch.sigmoid(h)
        packed = pack_padded_sequence(h, lengths, batch_first=True, enforce_sorted=False)
        y, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])
        return y.amax(1)


def compiled() -> Compiled:
    """Compile the model for two sizes of T, 4 and 8; the texts are those of 8."""
    torch.manual_seed(0)
    module = Tour().eval()
    inputs = (torch.randn(2, 6, 8), torch.tensor([6, 3]))
    shapes = {"x": {1: "T"}, "lengths": None}
    return ttc.compile(module, inputs, dynamic_shapes=shapes, lengths={"T": [4, 8]})


def main(folder: Path) -> None:
    """Print every stage, and save the artifact."""
    program = compiled()
    for stage in program.stages:
        print(f"---- {stage}\n{program.dump(stage)}")
    program.save(folder / "tour.ttc")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
