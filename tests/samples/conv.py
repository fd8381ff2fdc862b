"""Convolutions, pools and what else works on images."""

from __future__ import annotations

from tests.samples.form import S, Sample
from ttc import ops

CONV: list[Sample] = [
    *(
        S(ops.Conv, x=x, w=f"weight {w}", bias=bias, stride=stride, padding=pads, dilation=dilation, **rest)
        for x, w, bias, stride, pads, dilation, rest in (
            ("f32[2,33,14,15]", "f32[40,33,3,3]", "weight f32[40]", (2, 1), ((1, 1), (0, 2)), (1, 1), {}),
            (
                "f32[1,64,20,20]",
                "f32[48,64,1,1]",
                "weight f32[48]",
                (1, 1),
                ((0, 0), (0, 0)),
                (1, 1),
                {"activation": "relu"},
            ),
            ("f32[1,64,20,20]", "f32[48,16,1,1]", None, (1, 1), ((0, 0), (0, 0)), (1, 1), {"groups": 4}),
            ("f32[1,64,20,20]", "f32[48,64,1,1]", None, (2, 2), ((0, 0), (0, 0)), (1, 1), {}),
            ("f32[1,48,16,16]", "f32[64,24,5,5]", "weight f32[64]", (1, 1), ((2, 2), (2, 2)), (1, 1), {"groups": 2}),
            ("f32[1,288,12,12]", "f32[288,1,3,3]", None, (1, 1), ((1, 1), (1, 1)), (1, 1), {"groups": 288}),
            ("f32[1,3,64,64]", "f32[96,3,16,16]", "weight f32[96]", (16, 16), ((0, 0), (0, 0)), (1, 1), {}),
            ("f32[1,3,56,56]", "f32[32,3,7,7]", None, (2, 2), ((3, 3), (3, 3)), (1, 1), {"activation": "relu"}),
            ("f32[1,32,18,18]", "f32[32,32,3,3]", None, (1, 1), ((2, 2), (2, 2)), (2, 2), {"activation": "silu"}),
            ("f32[1,32,8,8]", "f32[32,32,3,3]", None, (1, 1), ((1, 1), (1, 1)), (1, 1), {"activation": "gelu"}),
            ("f32[1,32,8,8]", "f32[32,32,3,3]", None, (1, 1), ((1, 1), (1, 1)), (1, 1), {"activation": "tanh"}),
            ("f32[1,32,8,8]", "f32[32,32,3,3]", None, (1, 1), ((1, 1), (1, 1)), (1, 1), {"activation": "sigmoid"}),
            ("f32[1,32,8,8]", "f32[32,32,3,3]", None, (1, 1), ((1, 1), (1, 1)), (1, 1), {"activation": "gelu_tanh"}),
            ("f32[2,40,200]", "f32[64,40,7]", "weight f32[64]", (1,), ((9, 9),), (3,), {}),
            ("f32[1,64,100]", "f32[64,1,3]", None, (2,), ((2, 0),), (1,), {"groups": 64}),
            ("f32[1,1,600,33]", "f32[40,33,3,3]", None, (1, 1), ((1, 1), (1, 1)), (1, 1), {"rows": (2, 15, 20)}),
            ("f32[1,8,5,6,7]", "f32[12,8,3,3,3]", "weight f32[12]", (1, 2, 1), ((1, 1), (1, 1), (0, 1)), (1, 1, 1), {}),
        )
    ),
    S(
        ops.Conv,
        x="f32[1,8,6,6]",
        w="f32[8,8,3,3]",
        stride=(1, 1),
        padding=((1, 1), (1, 1)),
        dilation=(1, 1),
    ),
    *(
        S(ops.ConvTranspose, x=x, w=f"weight {w}", bias=bias, stride=stride, padding=pads, output_padding=extra, **rest)
        for x, w, bias, stride, pads, extra, rest in (
            (
                "f32[2,33,14,15]",
                "f32[33,40,3,3]",
                "weight f32[40]",
                (2, 2),
                ((1, 1), (1, 0)),
                (1, 0),
                {"dilation": (1, 1)},
            ),
            ("f32[1,64,16,16]", "f32[64,32,2,2]", None, (2, 2), ((0, 0), (0, 0)), (0, 0), {"dilation": (1, 1)}),
            ("f32[1,64,75]", "f32[64,32,16]", "weight f32[32]", (8,), ((4, 4),), (0,), {"dilation": (1,)}),
            ("f32[1,64,40]", "f32[64,1,3]", None, (2,), ((1, 1),), (1,), {"dilation": (1,), "groups": 64}),
            (
                "f32[1,64,9,9]",
                "f32[64,16,3,3]",
                None,
                (1, 1),
                ((0, 0), (0, 0)),
                (0, 0),
                {"dilation": (2, 2), "groups": 2},
            ),
        )
    ),
    S(
        ops.ConvTranspose,
        x="f32[1,8,4,4,4]",
        w="weight f32[8,8,2,2,2]",
        stride=(2, 2, 2),
        padding=((0, 0),) * 3,
        output_padding=(0, 0, 0),
        dilation=(1, 1, 1),
    ),
]

SPATIAL: list[Sample] = [
    *(
        S(kind, x=x, kernel=kernel, stride=stride, padding=pads, dilation=dilation, **rest)
        for kind in (ops.MaxPool, ops.AvgPool)
        for x, kernel, stride, pads, dilation, rest in (
            ("f32[2,40,14,15]", (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), {}),
            ("f32[1,64,14,14]", (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1), {}),
            ("f32[1,33,13,12]", (3, 2), (2, 3), ((1, 0), (0, 1)), (1, 1), {"ceil": True}),
            ("f32[1,528,13,13]", (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), {}),
            ("f32[1,64,100]", (5,), (2,), ((2, 2),), (1,), {}),
            ("f32[1,16,12,12]", (3, 3), (1, 1), ((2, 2), (2, 2)), (2, 2), {}),
            ("f32[1,1,256,32]", (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), {"rows": (1, 16, 16)}),
            ("f32[1,8,4,6,5]", (2, 3, 2), (2, 1, 1), ((0, 0), (1, 1), (0, 0)), (1, 1, 1), {}),
        )
    ),
    S(
        ops.AvgPool,
        x="f32[2,32,14,15]",
        kernel=(3, 3),
        stride=(2, 2),
        padding=((1, 1), (1, 1)),
        dilation=(1, 1),
        ceil=True,
        count_padding=False,
    ),
    S(
        ops.AvgPool,
        x="f32[1,1,147,64]",
        kernel=(7, 7),
        stride=(7, 7),
        padding=((0, 0), (0, 0)),
        dilation=(1, 1),
        rows=(3, 7, 7),
    ),
    S(ops.AvgPool, x="f32[1,8,96,64]", kernel=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0)), dilation=(1, 1)),
    S(ops.Upsample, x="f32[2,33,7,9]", scales=(2, 3)),
    S(ops.Upsample, x="f32[1,64,50]", scales=(4,)),
    S(ops.Upsample, x="f32[1,8,3,4,5]", scales=(2, 1, 2)),
    S(ops.Upsample, x="f32[2,33,7,9]", scales=(2, 3), mode="linear"),
    S(ops.Upsample, x="f32[1,8,48,40]", scales=(2, 2), mode="linear"),
    S(ops.Upsample, x="f32[1,64,50]", scales=(4,), mode="linear"),
    S(ops.GroupNorm, x="f32[2,48,7,9]", w="weight f32[48]", bias="weight f32[48]", groups=6),
    S(ops.GroupNorm, x="f32[1,64,16,16]", groups=64, eps=1e-3),
    S(ops.GroupNorm, x="f32[1,1,100,32]", w="weight f32[32]", groups=1, rows=(1, 10, 10)),
    S(
        ops.BatchNorm,
        x="f32[2,33,7,9]",
        w="weight f32[33]",
        bias="weight f32[33]",
        mean="weight f32[33]",
        var="weight f32[33]",
        ranges={"var": (0.5, 1.5)},
    ),
]
