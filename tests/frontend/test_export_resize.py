"""Resizing, antialiased and not, beside eager torch."""

from __future__ import annotations

import torch

from tests.frontend.exporting import each_agrees

IMAGE = torch.randn(2, 4, 7, 9)


def test_resizing():
    each_agrees(
        """
        F.interpolate(x, scale_factor=2)
        F.interpolate(x, scale_factor=(2, 1))
        F.interpolate(x, scale_factor=1.5)
        F.interpolate(x, scale_factor=0.5)
        F.interpolate(x, size=(10, 5))
        F.interpolate(x, size=(7, 9))
        F.interpolate(x, scale_factor=2, mode="nearest-exact")
        F.interpolate(x, size=(10, 5), mode="nearest-exact")
        F.interpolate(x, scale_factor=2, mode="bilinear")
        F.interpolate(x, scale_factor=1.7, mode="bilinear")
        F.interpolate(x, scale_factor=0.5, mode="bilinear")
        F.interpolate(x, size=(10, 5), mode="bilinear")
        F.interpolate(x, size=(14, 18), mode="bilinear", align_corners=True)
        F.interpolate(x, size=(9, 9), mode="bicubic")
        F.interpolate(x[0], scale_factor=2)
        F.interpolate(x[0], scale_factor=3, mode="linear")
        F.interpolate(x[0], size=7, mode="linear", align_corners=True)
        F.interpolate(x[None], scale_factor=2)
        F.interpolate(x[None], scale_factor=2, mode="trilinear")
        """,
        x=IMAGE,
    )


def test_antialiased_resizing():
    """A kernel is as wide as an input's step is long; cubics are others than those without antialiasing."""
    each_agrees(
        """
        F.interpolate(x, size=(3, 4), mode="bilinear", antialias=True)
        F.interpolate(x, size=(3, 4), mode="bicubic", antialias=True)
        F.interpolate(x, size=(3, 4), mode="bicubic", antialias=True, align_corners=True)
        F.interpolate(x, size=(10, 4), mode="bilinear", antialias=True, align_corners=True)
        F.interpolate(x, size=(2, 27), mode="bicubic", antialias=True)
        F.interpolate(x, scale_factor=2, mode="bilinear", antialias=True)
        F.interpolate(x, scale_factor=2, mode="bicubic", antialias=True)
        F.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True)
        F.interpolate(x, scale_factor=(0.37, 1.9), mode="bilinear", antialias=True)
        F.interpolate(x, size=(1, 1), mode="bilinear", antialias=True)
        """,
        x=torch.randn(2, 4, 9, 13, generator=torch.Generator().manual_seed(0)),
    )
