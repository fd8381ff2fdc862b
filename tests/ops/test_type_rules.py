"""Type rules: what each refuses, one step beyond what it takes; and that each of their conditions is tried."""

from __future__ import annotations

import ast
import re
import traceback
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import pytest

import ttc.ops
from tests.ops.written import evaluated, inferred, op_of
from tests.samples import SAMPLES, Pattern, Sample
from ttc.errors import TypeRuleError
from ttc.ir import Const, DType, Input, Op, TensorType, Value
from ttc.ir.verify import MISFITS

OPS = Path(ttc.ops.__file__).parent
CHECKS = (
    "require",
    "check_floating",
    "check_dim",
    "check_number",
    "same_dtype",
    "broadcast",
    "images",
    "gate",
    "window_output",
)

CONV = "conv(x=f32[2,4,5], w=f32[6,2,3], bias=f32[6], stride=[1], padding=[[0, 0]], dilation=[1], groups=2)"
TRANSPOSE = (
    "conv_transpose(x=f32[2,4,5], w=f32[4,3,2], bias=f32[6], stride=[2], padding=[[1, 1]], output_padding=[0], "
    "dilation=[1], groups=2)"
)
ROWS = "conv(x=f32[1,1,12,4], w=f32[6,4,2,2], stride=[1, 1], padding=[[0, 0], [0, 0]], dilation=[1, 1], rows=[1, 3, 4])"
MAX_POOL = "max_pool(x=f32[1,2,5], kernel=[3], stride=[2], padding=[[1, 1]], dilation=[2])"
AVG_POOL = MAX_POOL.replace("max_pool", "avg_pool")
ATTENTION = "attention(q=f32[2,4,5,8], k=f32[2,2,6,8], v=f32[2,2,6,3], mask=f32[2,1,5,6])"
LSTM = (
    "lstm(x=f32[5,2,3], w=f32[1,16,3], r=f32[1,16,2], bias=f32[1,16], lengths=i64[2], h=f32[1,2,2], c=f32[1,2,4], "
    "projection=f32[1,2,4], peephole=f32[1,12])"
)
GRU = "gru(x=f32[5,2,3], w=f32[2,12,3], r=f32[2,12,4], bias=f32[2,12], bias_n=f32[2,4], lengths=i32[2], h=f32[2,2,4])"
RNN = 'rnn(x=f32[1,2,3], w=f32[1,4,3], r=f32[1,4,4], h=f32[1,2,4], activations=["leaky_relu(0.3)"])'
STFT = "stft(x=f32[2,8], window=f32[8], hop=1)"
ISTFT = "istft(real=f32[1,5,3], imag=f32[1,5,3], window=f32[8], hop=8, start=23, length=1)"
SLICE = "slice(x=f32[4,3], starts=[0, 3], ends=[4, 3], steps=[1, 1])"
GROUP_NORM = "group_norm(x=f32[2,6,5], w=f32[6], bias=f32[6], groups=3)"
BATCH_NORM = "batch_norm(x=f32[2,6,5], w=f32[6], bias=f32[6], mean=f32[6], var=f32[6])"

REFUSED = [
    # what a rule takes, which fields to change, what it says of that
    ("add(a=f32[2,3], b=f32[3])", "b=f32[2]", "shapes [2, 3] and [2] do not broadcast"),
    ("add(a=f32[2,3], b=f32[3])", "b=bf16[3]", "operands have different dtypes: bf16, f32"),
    ("add(a=i32[3], b=i32[3])", "a=bool[3], b=bool[3]", "is not defined for bool"),
    ("and(a=bool[3], b=bool[3])", "a=f32[3], b=f32[3]", "is not defined for f32"),
    ("lt(a=i32[3], b=i32[3])", "a=c64[3], b=c64[3]", "is not defined for c64"),
    ("where(condition=bool[2,1], a=f32[3], b=f32[])", "condition=i32[2,1]", "the condition must be bool, got i32[2,1]"),
    ("where(condition=bool[2,1], a=f32[3], b=f32[])", "b=f64[]", "operands have different dtypes: f32, f64"),
    ("where(condition=bool[2,1], a=f32[3], b=f32[])", "condition=bool[2]",
     "shapes [2] and [3] and [] do not broadcast"),
    ("sin(x=f32[3])", "x=i32[3]", "needs a floating dtype, got i32[3]"),
    ("clamp(x=f32[3], low=0.0)", "low=none", "needs a bound"),
    ("not(x=bool[3])", "x=i32[3]", "needs bool, got i32[3]"),
    ("is_nan(x=f32[3])", "x=i32[3]", "needs a floating dtype, got i32[3]"),
    ("bit_cast(x=f32[3], dtype=i32)", "dtype=i64", "f32 and i64 differ in size"),
    ("leaky_relu(x=bf16[3])", "x=i32[3]", "needs a floating dtype, got i32[3]"),
    ("elu(x=bf16[3])", "x=i32[3]", "needs a floating dtype, got i32[3]"),
    ("softplus(x=bf16[3])", "x=i32[3]", "needs a floating dtype, got i32[3]"),
    ("hard_sigmoid(x=bf16[3])", "x=i32[3]", "needs a floating dtype, got i32[3]"),
    ("layer_norm(x=f32[2,3])", "x=i32[2,3]", "needs a floating dtype, got i32[2,3]"),
    ("rms_norm(x=f32[2,3])", "x=i32[2,3]", "needs a floating dtype, got i32[2,3]"),
    ("group_norm(x=f32[2,3])", "x=i32[2,3]", "needs a floating dtype, got i32[2,3]"),
    ("batch_norm(x=f32[2,1], w=f32[1], bias=f32[1], mean=f32[1], var=f32[1])",
     "x=i32[2,1], w=i32[1], bias=i32[1], mean=i32[1], var=i32[1]", "needs a floating dtype, got i32[2,1]"),
    ('upsample(x=f32[1,2,3], scales=[1], mode="linear")', "scales=[0]", "scales must be at least 1, got [0]"),
    ('upsample(x=f32[1,2,3], scales=[1], mode="linear")', "x=i32[1,2,3]", "needs a floating dtype, got i32[1,2,3]"),
    ("flip(x=f32[2,3], dims=[0, 1])", "dims=[0, 0]", "dims (0, 0) are not distinct"),
    ("expand(x=f32[1], shape=[0])", "shape=[-1]", "sizes cannot be negative: [-1]"),
    ("repeat(x=f32[1,3], repeats=[2, 0])", "repeats=[2, -1]", "counts cannot be negative: [2, -1]"),
    (TRANSPOSE, "padding=[[-1, 1]]", "pads cannot be negative"),
    (TRANSPOSE, "output_padding=[-1]", "pads cannot be negative"),
    (TRANSPOSE, "x=f32[2,4,5,1]", "needs 3 dimensions, got f32[2,4,5,1]"),
    (MAX_POOL, "kernel=[0]", "a window of 0, stride 2, dilation 2"),
    (AVG_POOL, "x=f32[1,2]", "needs 3 dimensions, got f32[1,2]"),
    ("gelu(x=bf16[3])", "x=i32[3]", "needs a floating dtype, got i32[3]"),
    ("reshape(x=f32[2,3], shape=[3, 2])", "shape=[3, 3]", "f32[2,3] has not the elements of [3, 3]"),
    ("reshape(x=f32[2,3], shape=[3, 2])", "shape=[-3, -2]", "sizes cannot be negative: [-3, -2]"),
    ("permute(x=f32[2,3], dims=[1, 0])", "dims=[1, 1]", "dims [1, 1] do not permute f32[2,3]"),
    ("permute(x=f32[2,3], dims=[1, 0])", "dims=[1, 0, 2]", "dims [1, 0, 2] do not permute f32[2,3]"),
    (SLICE, "ends=[5, 3]", "0:5:1 is no slice of 4 elements"),
    (SLICE, "starts=[-1, 3]", "-1:4:1 is no slice of 4 elements"),
    (SLICE, "ends=[4, 2]", "3:2:1 is no slice of 3 elements"),
    (SLICE, "steps=[0, 1]", "0:4:0 is no slice of 4 elements"),
    ("flip(x=f32[2,3], dims=[0, 1])", "dims=[0, 2]", "dims (0, 2) are not in f32[2,3]"),
    ("flip(x=f32[2,3], dims=[0, 1])", "dims=[-1, 1]", "dims (-1, 1) are not in f32[2,3]"),
    ("concat(xs=[f32[2,3], f32[4,3]], dim=0)", "xs=[]", "needs an operand"),
    ("concat(xs=[f32[2,3], f32[4,3]], dim=0)", "dim=1", "f32[4,3] does not fit f32[2,3] along dimension 1"),
    ("concat(xs=[f32[2,3], f32[4,3]], dim=0)", "dim=2", "dim 2 is not in a tensor of rank 2"),
    ("concat(xs=[f32[2,3], f32[4,3]], dim=0)", "xs=[f32[2,3], f32[4,3,1]]",
     "f32[4,3,1] does not fit f32[2,3] along dimension 0"),
    ("concat(xs=[f32[2,3], f32[4,3]], dim=0)", "xs=[f32[2,3], f16[4,3]]", "operands have different dtypes: f16, f32"),
    ("pad(x=f32[2,3], pads=[[0, 1], [2, 0]])", "pads=[[0, 1]]", "needs 2 pairs, got 1"),
    ("pad(x=f32[2,3], pads=[[0, 1], [2, 0]])", "pads=[[-1, 1], [2, 0]]", "pads cannot be negative; slice instead"),
    ("pad(x=f32[2,3], pads=[[0, 1], [2, 0]])", "pads=[[0, 1], [2, -1]]", "pads cannot be negative; slice instead"),
    ("pad(x=f32[2,3], pads=[[0, 1], [2, 0]])", 'mode="wrap"', "no mode is called 'wrap'"),
    ("pad(x=f32[2,3], pads=[[0, 1], [2, 0]])", "value=1e39", "1e+39 is more than f32 holds"),
    ('pad(x=f32[2,3], pads=[[0, 1], [2, 2]], mode="reflect")', "pads=[[0, 1], [2, 3]]",
     "cannot reflect 2, 3 of 3 elements"),
    ('pad(x=f32[2,3], pads=[[0, 1], [2, 2]], mode="reflect")', "pads=[[0, 1], [3, 2]]",
     "cannot reflect 3, 2 of 3 elements"),
    ("expand(x=f32[1,3], shape=[2, 3])", "shape=[2, 4]", "shapes [1, 3] and [2, 4] do not broadcast"),
    ("expand(x=f32[1,3], shape=[2, 3])", "shape=[3]", "f32[1,3] does not expand to [3]"),
    ("expand(x=f32[1,3], shape=[2, 3])", "shape=[2, 1]", "f32[1,3] does not expand to [2, 1]"),
    ("repeat(x=f32[1,3], repeats=[2, 1])", "repeats=[2]", "needs 2 counts, got 1"),
    ('upsample(x=f32[1,2,3], scales=[2], mode="linear")', 'mode="cubic"', "no mode is called 'cubic'"),
    ('upsample(x=f32[1,2,3], scales=[2], mode="linear")', "scales=[2, 2]", "needs 4 dimensions, got f32[1,2,3]"),
    ("sum(x=f32[2,3], dims=[0, 1])", "dims=[]", "needs at least one dimension"),
    ("sum(x=f32[2,3], dims=[0, 1])", "dims=[1, 0]", "dims [1, 0] must ascend"),
    ("sum(x=f32[2,3], dims=[0, 1])", "dims=[0, 0]", "dims [0, 0] must ascend"),
    ("sum(x=f32[2,3], dims=[0, 1])", "dims=[0, 2]", "dim 2 is not in a tensor of rank 2"),
    ("sum(x=f32[2,3], dims=[0, 1])", "dims=[-1, 1]", "dim -1 is not in a tensor of rank 2"),
    ("mean(x=f32[2,3], dims=[0, 1])", "x=i32[2,3]", "needs a floating dtype, got i32[2,3]"),
    ("argmax(x=f32[2,3], dim=1)", "dim=2", "dim 2 is not in a tensor of rank 2"),
    ("cumsum(x=f32[2,3], dim=1)", "dim=2", "dim 2 is not in a tensor of rank 2"),
    ("cumprod(x=f32[2,3], dim=1)", "dim=2", "dim 2 is not in a tensor of rank 2"),
    ("topk(x=f32[2,3], k=3, dim=1)", "dim=2", "dim 2 is not in a tensor of rank 2"),
    ("topk(x=f32[2,3], k=3, dim=1)", "k=4", "k = 4 of 3 elements"),
    ("topk(x=f32[2,3], k=0, dim=1)", "k=-1", "k = -1 of 3 elements"),
    ("embedding(w=f32[4], index=i64[2])", "index=f32[2]", "the index must be of integers, got f32[2]"),
    ("embedding(w=f32[4], index=i64[2])", "w=f32[]", "the table must have a dimension, got f32[]"),
    ("gather(x=f32[2,3], index=i64[2,5], dim=1)", "dim=2", "dim 2 is not in a tensor of rank 2"),
    ("gather(x=f32[2,3], index=i64[2,5], dim=1)", "index=i64[2]", "index i64[2] and x f32[2,3] differ in rank"),
    ("gather(x=f32[2,3], index=i64[2,5], dim=1)", "index=bool[2,5]", "the index must be of integers, got bool[2,5]"),
    ("gather(x=f32[2,3], index=i64[2,5], dim=1)", "index=i64[3,5]", "index i64[3,5] reaches beyond x f32[2,3]"),
    ("scatter(x=f32[2,3], index=i64[2,5], updates=f32[2,5], dim=1)", "dim=2", "dim 2 is not in a tensor of rank 2"),
    ("scatter(x=f32[2,3], index=i64[2,5], updates=f32[2,5], dim=1)", "updates=f32[2,4]",
     "index i64[2,5] does not fit updates f32[2,4]"),
    ("scatter(x=f32[2,3], index=i64[2,5], updates=f32[2,5], dim=1)", "index=i64[5], updates=f32[5]",
     "index i64[5] has not the rank of f32[2,3]"),
    ("scatter(x=f32[2,3], index=i64[2,5], updates=f32[2,5], dim=1)", "index=i64[3,5], updates=f32[3,5]",
     "index i64[3,5] reaches beyond x f32[2,3]"),
    ('scatter(x=f32[2,3], index=i64[2,5], updates=f32[2,5], dim=1, reduce="add")', 'reduce="mul"',
     "no reduction is called 'mul'"),
    ("scatter(x=f32[2,3], index=i64[2,5], updates=f32[2,5], dim=1)", "updates=f16[2,5]",
     "operands have different dtypes: f16, f32"),
    ("scatter(x=f32[2,3], index=i64[2,5], updates=f32[2,5], dim=1)", "index=f32[2,5]",
     "the index must be of integers, got f32[2,5]"),
    ("one_hot(index=i64[2], depth=1)", "depth=-1", "one_hot of i64[2], -1"),
    ("one_hot(index=i64[2], depth=1)", "index=c64[2]", "one_hot of c64[2], 1"),
    ("matmul(a=f32[2,3], b=f32[3,4])", "b=f32[3]", "needs at least 2 dimensions each, got f32[2,3] and f32[3]"),
    ("matmul(a=f32[2,3], b=f32[3,4])", "b=f32[4,4]", "inner sizes differ: 3 in f32[2,3] and 4 in f32[4,4]"),
    ("matmul(a=f32[2,3], b=f32[3,4])", "b=f16[3,4]", "operands have different dtypes: f16, f32"),
    ("matmul(a=f32[2,2,3], b=f32[2,3,4])", "b=f32[3,3,4]", "shapes [2] and [3] do not broadcast"),
    ("linear(x=f32[2,3], w=f32[4,3], bias=f32[4])", "w=f32[4,3,1]", "the weight must be [N, K], got f32[4,3,1]"),
    ("linear(x=f32[2,3], w=f32[4,3], bias=f32[4])", "x=f32[2,4]", "x f32[2,4] does not end in the weight's K = 3"),
    ("linear(x=f32[2,3], w=f32[4,3], bias=f32[4])", "x=f32[]", "x f32[] does not end in the weight's K = 3"),
    ("linear(x=f32[2,3], w=f32[4,3], bias=f32[4])", "bias=f32[3]", "the bias must be [4]"),
    ("linear(x=f32[2,3], w=f32[4,3], bias=f32[4])", "bias=f32[1,4]", "the bias must be [4]"),
    ("linear(x=f32[2,3], w=f32[4,3], bias=f32[4])", "bias=f16[4]", "operands have different dtypes: f16, f32"),
    ('linear(x=f32[2,3], w=f32[4,3], activation="relu")', 'activation="swish"', "no activation is called 'swish'"),
    (CONV, "w=f32[6,2]", "the weight must be [O, C / groups, *kernel] with 1 to 3 kernel sizes, got f32[6,2]"),
    (CONV, "w=f32[6,2,1,1,1,1]",
     "the weight must be [O, C / groups, *kernel] with 1 to 3 kernel sizes, got f32[6,2,1,1,1,1]"),
    (CONV, "groups=0", "0 groups"),
    (CONV, "groups=-2", "-2 groups"),
    (CONV, "x=f32[2,4,5,1]", "needs 3 dimensions, got f32[2,4,5,1]"),
    (CONV, "x=f32[2,2,5]", "2 channels, but the weight takes 2 x 2 groups"),
    (CONV, "w=f32[5,2,3], bias=f32[5]", "5 output channels are no multiple of 2 groups"),
    (CONV, "bias=f32[5]", "the bias must be [6]"),
    (CONV, "bias=f16[6]", "operands have different dtypes: f16, f32"),
    (CONV, "stride=[1, 1]", "needs 1 strides, pads, dilations"),
    (CONV, "padding=[[0, 0], [0, 0]]", "needs 1 strides, pads, dilations"),
    (CONV, "dilation=[1, 1]", "needs 1 strides, pads, dilations"),
    (CONV, "stride=[0]", "a window of 3, stride 0, dilation 1"),
    (CONV, "dilation=[0]", "a window of 3, stride 1, dilation 0"),
    (CONV, "w=f32[6,2,6]", "a window of 6 (dilation 1) is larger than its input of 5 + padding [0, 0]"),
    (CONV.replace("dilation=[1]", "dilation=[2]"), "dilation=[3]",
     "a window of 3 (dilation 3) is larger than its input of 5 + padding [0, 0]"),
    (CONV.replace("[0, 0]", "[-1, -1]"), "padding=[[-1, -2]]",
     "a window of 3 (dilation 1) is larger than its input of 5 + padding [-1, -2]"),
    (CONV.replace(")", ', activation="gelu_tanh")'), 'activation="gelu_erf"', "no activation is called 'gelu_erf'"),
    (ROWS, "rows=[12, 1]", "rows [12, 1] do not fit 2 spatial dimensions"),
    (ROWS, "rows=[1, 3, 3]", "f32[1,1,12,4] does not hold rows [1, 3, 3]"),
    (ROWS, "x=f32[1,2,12,4]", "f32[1,2,12,4] does not hold rows [1, 3, 4]"),
    (TRANSPOSE, "w=f32[4,3]", "the weight must be [C, O / groups, *kernel] with 1 to 3 kernel sizes, got f32[4,3]"),
    (TRANSPOSE, "groups=0", "0 groups of f32[4,3,2]"),
    (TRANSPOSE, "w=f32[4,3,0]", "2 groups of f32[4,3,0]"),
    (TRANSPOSE, "x=f32[2,3,5]", "3 channels, but the weight takes 4"),
    (TRANSPOSE, "x=f32[2,3,5], w=f32[3,3,2]", "3 channels are no multiple of 2 groups"),
    (TRANSPOSE, "stride=[2, 2]", "needs 1 strides, pads, dilations, output pads"),
    (TRANSPOSE, "padding=[]", "needs 1 strides, pads, dilations, output pads"),
    (TRANSPOSE, "output_padding=[0, 0]", "needs 1 strides, pads, dilations, output pads"),
    (TRANSPOSE, "dilation=[1, 1]", "needs 1 strides, pads, dilations, output pads"),
    (TRANSPOSE, "stride=[0]", "stride [0], dilation [1]"),
    (TRANSPOSE, "dilation=[0]", "stride [2], dilation [0]"),
    (TRANSPOSE, "bias=f32[3]", "the bias must be [6]"),
    (TRANSPOSE, "bias=f16[6]", "operands have different dtypes: f16, f32"),
    (TRANSPOSE.replace("[1, 1]", "[5, 4]"), "padding=[[5, 5]]", "the result would have sizes [0]"),
    (MAX_POOL, "x=f32[1,2]", "needs 3 dimensions, got f32[1,2]"),
    (MAX_POOL, "padding=[[0, 0]], dilation=[3]",
     "a window of 3 (dilation 3) is larger than its input of 5 + padding [0, 0]"),
    (AVG_POOL, "x=i32[1,2,5]", "needs a floating dtype, got i32[1,2,5]"),
    (AVG_POOL, "kernel=[0]", "a window of 0, stride 2, dilation 2"),
    (ATTENTION, "q=f32[4,5,8]", "needs rank 4, got f32[4,5,8], f32[2,2,6,8], f32[2,2,6,3]"),
    (ATTENTION, "v=f32[2,6,3]", "needs rank 4, got f32[2,4,5,8], f32[2,2,6,8], f32[2,6,3]"),
    (ATTENTION, "q=f32[2,4,5,7]", "head sizes differ: q 7, k 8"),
    (ATTENTION, "v=f32[2,2,7,3]", "k [2, 2, 6, 8] and v [2, 2, 7, 3] differ in more than the head size"),
    (ATTENTION, "v=f32[2,1,6,3]", "k [2, 2, 6, 8] and v [2, 1, 6, 3] differ in more than the head size"),
    (ATTENTION, "q=f32[1,4,5,8]", "q [1, 4, 5, 8] does not fit k [2, 2, 6, 8]"),
    (ATTENTION, "q=f32[2,3,5,8]", "q [2, 3, 5, 8] does not fit k [2, 2, 6, 8]"),
    (ATTENTION, "mask=f32[2,2,5,6]", "shapes [2, 2, 5, 6] and [2, 4, 5, 6] do not broadcast"),
    (ATTENTION, "mask=f32[1,2,1,5,6]", "mask f32[1,2,1,5,6] does not fit [2, 4, 5, 6]"),
    (ATTENTION.replace("[2,4,5,8]", "[2,4,1,8]").replace("[2,1,5,6]", "[2,1,1,6]"), "mask=f32[5,6]",
     "mask f32[5,6] does not fit [2, 4, 1, 6]"),
    (ATTENTION, "mask=f16[2,1,5,6]", "the mask must be bool or f32"),
    (ATTENTION, "v=f16[2,2,6,3]", "operands have different dtypes: f16, f32"),
    (ATTENTION, 'empty="one"', "no result of a query without keys is called 'one'"),
    ("layer_norm(x=f32[2,3], w=f32[2,3], dims=2)", "dims=0", "cannot normalise 0 dimensions of f32[2,3]"),
    ("layer_norm(x=f32[2,3], w=f32[2,3], dims=2)", "dims=3", "cannot normalise 3 dimensions of f32[2,3]"),
    ("layer_norm(x=f32[2,3], w=f32[2,3], dims=2)", "dims=1", "weight and bias must be [3]"),
    ("layer_norm(x=f32[2,3], w=f32[3], bias=f32[3])", "bias=f32[1]", "weight and bias must be [3]"),
    ("layer_norm(x=f32[2,3], w=f32[3], bias=f32[3])", "bias=f16[3]", "operands have different dtypes: f16, f32"),
    ("rms_norm(x=f32[2,3], w=f32[3])", "w=f32[2]", "the weight must be [3]"),
    ("rms_norm(x=f32[2,3], w=f32[3])", "w=f16[3]", "operands have different dtypes: f16, f32"),
    (GROUP_NORM, "groups=0", "0 groups"),
    (GROUP_NORM, "groups=-3", "-3 groups"),
    (GROUP_NORM, "groups=4", "6 channels are no multiple of 4 groups"),
    (GROUP_NORM, "bias=f32[5]", "weight and bias must be [6]"),
    (GROUP_NORM, "w=f16[6]", "operands have different dtypes: f16, f32"),
    ("group_norm(x=f32[2,6])", "x=f32[6]", "needs [N, C, ..], got f32[6]"),
    ("group_norm(x=f32[1,1,10,6], groups=2, rows=[2, 5])", "rows=[2, 4]", "f32[1,1,10,6] does not hold rows [2, 4]"),
    (BATCH_NORM, "mean=f32[5]", "weight, bias, mean and var must be [6], got f32[5]"),
    (BATCH_NORM, "var=f32[1,6]", "weight, bias, mean and var must be [6], got f32[1,6]"),
    (BATCH_NORM, "w=f16[6]", "operands have different dtypes: f16, f32"),
    ("softmax(x=f32[2,3], dim=1)", "dim=2", "dim 2 is not in a tensor of rank 2"),
    ("softmax(x=f32[2,3], dim=1)", "x=i32[2,3]", "needs a floating dtype, got i32[2,3]"),
    ("log_softmax(x=f32[2,3], dim=0)", "dim=-1", "dim -1 is not in a tensor of rank 2"),
    ("log_softmax(x=f32[2,3], dim=0)", "x=i32[2,3]", "needs a floating dtype, got i32[2,3]"),
    ("skew(x=f32[2,3], slope=-1, offset=1, size=0)", "x=f32[3]", "needs rows and columns, got f32[3]"),
    ("skew(x=f32[2,3], slope=-1, offset=1, size=0)", "slope=2", "slope must be -1 or 1, got 2"),
    ("skew(x=f32[2,3], slope=-1, offset=1, size=0)", "slope=0", "slope must be -1 or 1, got 0"),
    ("skew(x=f32[2,3], slope=-1, offset=1, size=0)", "size=-1", "size must not be negative, got -1"),
    (STFT, "x=i32[2,8]", "needs a floating dtype, got i32[2,8]"),
    (STFT, "x=f32[8]", "needs x [N, samples] and a window [n_fft]"),
    (STFT, "window=f32[1,8]", "needs x [N, samples] and a window [n_fft]"),
    (STFT, "hop=0", "a hop of 0"),
    (STFT, "window=f32[9]", "a frame of 9 does not fit 8 samples"),
    (STFT, "window=f32[0]", "a frame of 0 does not fit 8 samples"),
    (STFT, "window=f64[8]", "operands have different dtypes: f32, f64"),
    (ISTFT, "real=i32[1,5,3], imag=i32[1,5,3], window=i32[8]", "needs a floating dtype, got i32[1,5,3]"),
    (ISTFT, "window=f64[8]", "operands have different dtypes: f32, f64"),
    (ISTFT, "imag=f32[1,5,2]", "real f32[1,5,3] and imaginary f32[1,5,2] differ"),
    (ISTFT, "real=f32[5,3], imag=f32[5,3]", "needs [N, bins, frames] and a window [n_fft]"),
    (ISTFT, "window=f32[1,8]", "needs [N, bins, frames] and a window [n_fft]"),
    (ISTFT, "window=f32[7]", "5 bins for frames of 7 samples"),
    (ISTFT, "hop=0", "a hop of 0 between 3 frames of 8 samples"),
    (ISTFT, "hop=9", "a hop of 9 between 3 frames of 8 samples"),
    (ISTFT, "real=f32[1,5,0], imag=f32[1,5,0]", "a hop of 8 between 0 frames of 8 samples"),
    (ISTFT, "start=24", "1 samples from 24"),
    (ISTFT, "start=-1", "1 samples from -1"),
    (ISTFT, "length=0", "0 samples from 23"),
    (LSTM, "x=f32[2,3]", "x must have 3 dimensions, got f32[2,3]"),
    (LSTM, "w=f32[16,3]", "w must have 3 dimensions, got f32[16,3]"),
    (LSTM, "r=f32[16,2]", "r must have 3 dimensions, got f32[16,2]"),
    (LSTM, "x=f32[0,2,3]", "x has no steps: f32[0,2,3]"),
    (LSTM, "w=f32[3,16,3]", "3 directions, reverse False"),
    (LSTM, "w=f32[0,16,3]", "0 directions, reverse False"),
    (LSTM, "w=f32[1,15,3]", "w f32[1,15,3] does not fit x f32[5,2,3]"),
    (LSTM, "w=f32[1,16,4]", "w f32[1,16,4] does not fit x f32[5,2,3]"),
    (LSTM, "r=f32[1,12,2]", "r f32[1,12,2] does not fit w f32[1,16,3]"),
    (LSTM, "r=f32[2,16,2]", "r f32[2,16,2] does not fit w f32[1,16,3]"),
    (LSTM, "bias=f32[1,15]", "bias must be [1, 16], got f32[1,15]"),
    (LSTM, "h=f32[1,2,4]", "h must be [1, 2, 2], got f32[1,2,4]"),
    (LSTM, "lengths=i64[3]", "lengths must be [2], got i64[3]"),
    (LSTM, "lengths=f32[2]", "lengths must be integers"),
    (LSTM, "c=f32[1,2,2]", "c must be [1, 2, 4], got f32[1,2,2]"),
    (LSTM, "projection=f32[1,4,2]", "projection must be [1, 2, 4], got f32[1,4,2]"),
    (LSTM, "peephole=f32[1,16]", "peephole must be [1, 12], got f32[1,16]"),
    (LSTM, "bias=f16[1,16]", "operands have different dtypes: f16, f32"),
    (LSTM.replace(")", ', activations=["sigmoid", "tanh", "tanh"])'), 'activations=["sigmoid", "tanh"]',
     "needs 3 activations, got ('sigmoid', 'tanh')"),
    ("lstm(x=f32[5,2,3], w=f32[1,8,3], r=f32[1,8,2])", "r=f32[1,8,3]", "r f32[1,8,3] needs a projection to 3"),
    (GRU, "w=f32[1,12,3], r=f32[1,12,4]", "bias must be [1, 12], got f32[2,12]"),
    (GRU.replace("gru(", "gru(reverse=false, "), "reverse=true", "2 directions, reverse True"),
    (GRU, "bias_n=f32[2,3]", "bias_n must be [2, 4], got f32[2,3]"),
    (GRU.replace("gru(", "gru(reset_after=true, "), "reset_after=false",
     "bias_n is part of bias where the reset comes"),
    ("gru(x=f32[5,2,3], w=f32[1,12,3], r=f32[1,12,4])", "r=f32[1,12,3]", "r f32[1,12,3] does not take a state of 4"),
    (RNN, "r=f32[1,4,3], h=f32[1,2,3]", "r f32[1,4,3] does not take a state of 4"),
    (RNN, 'activations=["leaky_rel"]', "no activation is called 'leaky_rel'"),
    (RNN, 'activations=["leaky_relu(0.3,1.0)"]',
     "the activation leaky_relu takes 1 parameters, got 'leaky_relu(0.3,1.0)'"),
    (RNN, 'activations=["leaky_relu(x)"]', "the activation leaky_relu takes 1 parameters, got 'leaky_relu(x)'"),
    ("full(value=65504.0) as f16[2]", "value=65505.0", "65505.0 is more than f16 holds"),
    ("full(value=-65504.0) as f16[2]", "value=-65536.0", "-65536.0 is more than f16 holds"),
    ("full(value=127) as i8[2]", "value=128", "128 is not among the numbers of i8"),
    ("full(value=-128) as i8[2]", "value=-129", "-129 is not among the numbers of i8"),
    ("full(value=255) as u8[2]", "value=256", "256 is not among the numbers of u8"),
    ("full(value=0) as u8[2]", "value=-1", "-1 is not among the numbers of u8"),
    ("full(value=0) as i32[2]", "value=inf", "inf is not among the numbers of i32"),
    ("literal(data=[1, 2]) as i8[2]", "data=[1, 2, 3]", "3 numbers for i8[2]"),
    ("literal(data=[1, 2]) as i8[2]", "data=[1, 128]", "128 is not among the numbers of i8"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "changes", "message"), REFUSED)
def test_one_step_further_is_refused(text: str, changes: str, message: str):
    good = op_of(text)
    assert inferred(good) == evaluated(good)
    with pytest.raises(TypeRuleError) as error:
        op_of(changed(text, changes)).infer()
    assert str(error.value).startswith(message)


def changed(text: str, changes: str) -> str:
    """The op's line with other fields."""
    head, _, rest = text.partition("(")
    inner, _, tail = rest.rpartition(")")
    fields = {**_fields(inner), **_fields(changes)}
    return f"{head}({', '.join(f'{name}={value}' for name, value in fields.items())}){tail}"


def _fields(text: str) -> dict[str, str]:
    return dict(field.split("=", 1) for field in re.split(r", (?=\w+=)", text))


def test_every_condition_of_a_type_rule_is_seen_to_refuse():
    """So that an op whose rule has a condition without a row above fails here."""
    assert not sorted(conditions() - set().union(*(reached(text, changes) for text, changes, _ in REFUSED)))


@cache
def conditions() -> frozenset[tuple[str, int]]:
    """File and line of every refusal in `ttc/ops`: of `require`, of the shared checks, of `raise TypeRuleError`.

    Meanings (`eval`, and what has a Tensor in hand) come after type rules, and refuse nothing.
    """
    found = set()
    for path in OPS.glob("*.py"):
        tree = ast.parse(path.read_text())
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        meanings = {id(inner) for f in functions if "Tensor" in ast.unparse(f.args) for inner in ast.walk(f)}
        meanings -= {id(inner) for f in functions if f.name == "infer" for inner in ast.walk(f)}
        for node in ast.walk(tree):
            match node:
                case _ if id(node) in meanings:
                    continue
                case ast.Call(func=ast.Name(id=name)) if name in CHECKS:
                    found.add((path.name, node.lineno))
                case ast.Raise(exc=ast.Call(func=ast.Name(id="TypeRuleError"))):
                    found.add((path.name, node.lineno))
    return frozenset(found)


def reached(text: str, changes: str) -> set[tuple[str, int]]:
    """The conditions that a refusal went through."""
    with pytest.raises(TypeRuleError) as error:
        op_of(changed(text, changes)).infer()
    frames = traceback.extract_tb(error.value.__traceback__)
    return {(Path(frame.filename).name, line) for frame in frames for line in _statement(frame)}


def _statement(frame: traceback.FrameSummary) -> range:
    """The lines of what a frame executes: a call may go over several."""
    first = frame.lineno or 0
    return range(first, (frame.end_lineno or first) + 1)


def neighbours(op: Op) -> Iterator[Op]:
    """The op with one thing changed: an operand's rank, a size, its dtype; a number one more or one less."""
    for spec in fields(op):  # type: ignore[arg-type]
        value = getattr(op, spec.name)
        if isinstance(value, Value):
            for type in _types(value.type):  # type: ignore[arg-type]
                yield replace(op, **{spec.name: Value(Input(type, "x"), type, "x")})  # type: ignore[type-var]
        elif spec.name not in ("type", "rows"):
            for other in _others(value):
                yield replace(op, **{spec.name: other})  # type: ignore[type-var]


def _types(type: TensorType) -> Iterator[TensorType]:
    for dim, size in enumerate(type.shape):
        for other in (size + 1, size - 1):
            if other > 0:  # tensors without elements never reach torch: passes/simplify_empty.py
                yield replace(type, shape=(*type.shape[:dim], other, *type.shape[dim + 1 :]))
    yield replace(type, shape=(1, *type.shape))
    yield replace(type, shape=type.shape[1:])
    for dtype in (DType.f32, DType.bf16, DType.i32):
        yield replace(type, dtype=dtype)


def _others(value: object) -> Iterator[object]:
    match value:
        case bool():
            yield not value
        case int():
            yield from (value + 1, value - 1, 0, -value)
        case tuple() if not any(isinstance(part, Value) for part in value):
            yield value[1:]
            yield (*value, *value[:1])
            for i, part in enumerate(value):
                pairs = ((other, *part[1:]) for other in _others(part[0])) if isinstance(part, tuple) else _others(part)
                yield from ((*value[:i], other, *value[i + 1 :]) for other in pairs)


def smallest() -> list[Sample]:
    """Of each kind of op the two samples that have the fewest elements."""
    by_kind: defaultdict[type[Op], list[Sample]] = defaultdict(list)
    for sample in SAMPLES:
        if not isinstance(sample, Pattern):
            by_kind[sample.kind].append(sample)
    size = {id(sample): sum(value.type.numel for value in sample.graph()[0].values()) for sample in SAMPLES}
    return [sample for found in by_kind.values() for sample in sorted(found, key=lambda sample: size[id(sample)])[:2]]


@pytest.mark.parametrize("sample", smallest(), ids=str)
def test_what_a_rule_takes_has_a_meaning(sample):
    """Each neighbour of a sample is refused, or means what the rule says: no rule takes what torch stumbles over."""
    for node in sample.graph()[0].nodes:
        for op in () if isinstance(node.op, (Input, Const)) else neighbours(node.op):
            try:
                types = inferred(op)
            except (TypeRuleError, *MISFITS):  # as the verifier has it
                continue
            assert evaluated(op) == types, op
