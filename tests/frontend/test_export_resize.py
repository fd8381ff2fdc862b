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


def test_a_given_scale_places_the_samples_whatever_the_sizes():
    """The core form has sizes and scales; a scale need not be their quotient, and may be given for one dimension."""
    each_agrees(
        """
        torch.ops.aten.upsample_nearest2d(x, [9, 12], 1.4, 1.3)
        torch.ops.aten.upsample_nearest2d(x, [14, 18], 1.7)
        torch.ops.aten.upsample_nearest2d(x, [14, 18], scales_w=1.7)
        torch.ops.aten.upsample_nearest2d(x, [14, 18], 2.0, 2.0)
        torch.ops.aten._upsample_nearest_exact2d(x, [9, 12], 1.4, None)
        torch.ops.aten.upsample_nearest1d(x[0], [12], 1.4)
        torch.ops.aten.upsample_nearest1d(x[0], [9], 2.0)
        torch.ops.aten.upsample_nearest2d(x, [7, 9], 2.0, 2.0)
        torch.ops.aten.upsample_nearest3d(x[None], [4, 7, 9], None, 2.0)
        torch.ops.aten._upsample_nearest_exact2d(x, [7, 9], None, 2.0)
        torch.ops.aten.upsample_bilinear2d(x, [7, 12], False, 2.0, 2.0)
        torch.ops.aten.upsample_bicubic2d(x, [7, 9], False, 2.0, 2.0)
        torch.ops.aten.upsample_linear1d(x[0], [12], False, scales=1.4)
        torch.ops.aten.upsample_bilinear2d(x, [7, 9], False, 1.2, 0.9)
        torch.ops.aten.upsample_bilinear2d(x, [9, 12], False, None, 1.4)
        torch.ops.aten.upsample_bilinear2d(x, [9, 12], True, 1.1, 1.4)
        torch.ops.aten.upsample_bilinear2d(x, [14, 18], False, 2.0, 2.1)
        torch.ops.aten.upsample_bicubic2d(x, [9, 12], False, 1.1, 1.4)
        torch.ops.aten.upsample_trilinear3d(x[None], [5, 8, 9], False, 1.3, scales_w=1.1)
        torch.ops.aten._upsample_bilinear2d_aa(x, [3, 3], False, 1.7, 0.9)
        torch.ops.aten._upsample_bicubic2d_aa(x, [3, 3], False, scales_h=0.3, scales_w=0.4)
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
