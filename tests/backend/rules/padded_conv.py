"""A convolution of a padded tensor, and its activation: the model that tests of pieces of convolutions compile."""

from __future__ import annotations

import torch
from torch import nn


class PaddedConv(nn.Module):
    def __init__(self, rank: int, channels: int, out: int, kernel, pads, **options):
        super().__init__()
        self.conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1](channels, out, kernel, **options)
        self.pads = pads

    def forward(self, x):
        return torch.relu(self.conv(nn.functional.pad(x, self.pads)))
