"""Recurrences."""

from __future__ import annotations

from tests.samples.form import S, Sample
from ttc import ops

RECURRENT: list[Sample] = [
    S(ops.Rnn, x="f32[5,2,8]", w="weight f32[1,16,8]", r="weight f32[1,16,16]"),
    S(ops.Rnn, x="f32[3,1,8]", w="weight f32[2,40,8]", r="weight f32[2,40,40]", bias="weight f32[2,40]",
      lengths="i64[1]", h="f32[2,1,40]", activations=["relu"], ranges={"lengths": (1, 4)}),
    S(ops.Rnn, x="f32[5,2,8]", w="weight f32[1,16,8]", r="weight f32[1,16,16]", activations=["affine(0.5, 0.1)"]),
    S(ops.Rnn, x="f32[5,2,8]", w="weight f32[1,16,8]", r="weight f32[1,16,16]", activations=["thresholded_relu(0.1)"]),
    S(ops.Lstm, x="f32[7,3,8]", w="weight f32[1,128,8]", r="weight f32[1,128,32]", bias="weight f32[1,128]"),
    S(ops.Lstm, x="f32[4,3,8]", w="weight f32[1,64,8]", r="weight f32[1,64,16]", coupled=True,
      activations=["hard_sigmoid(0.3, 0.4)", "scaled_tanh(0.9, 0.7)", "leaky_relu(0.2)"]),
    S(ops.Lstm, x="f32[4,3,8]", w="weight f32[2,160,8]", r="weight f32[2,160,40]", bias="weight f32[2,160]",
      lengths="i64[3]", ranges={"lengths": (1, 5)}),
    S(ops.Lstm, x="f32[4,2,8]", w="weight f32[1,64,8]", r="weight f32[1,64,8]", projection="weight f32[1,8,16]",
      peephole="weight f32[1,48]", h="f32[1,2,8]", c="f32[1,2,16]", lengths="i64[2]", reverse=True, clip=0.75,
      activations=["hard_sigmoid", "softsign", "leaky_relu"], ranges={"lengths": (1, 5)}),
    S(ops.Lstm, x="f32[1,2,8]", w="weight f32[2,64,8]", r="weight f32[2,64,16]",
      activations=["softplus", "elu", "tanh"]),
    S(ops.Gru, x="f32[4,3,8]", w="weight f32[1,48,8]", r="weight f32[1,48,16]", reset_after=False, reverse=True),
    S(ops.Gru, x="f32[4,3,8]", w="weight f32[2,120,8]", r="weight f32[2,120,40]", bias="weight f32[2,120]",
      bias_n="weight f32[2,40]", h="f32[2,3,40]", lengths="i64[3]", ranges={"lengths": (1, 5)}),
]  # fmt: skip
