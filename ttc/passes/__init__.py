"""Target-independent passes, Graph -> Graph: one idea in each file, and the order in which the passes run."""

from ttc.passes.channels_last.channels_last import channels_last
from ttc.passes.decompose.decompose import decompose
from ttc.passes.decompose.decompose_stft import decompose_stft
from ttc.passes.decompose.lines import cut_lines
from ttc.passes.fold import fold
from ttc.passes.fuse.fuse_activation import fuse_activation
from ttc.passes.fuse.fuse_affine import fuse_affine
from ttc.passes.fuse.fuse_attention import fuse_attention
from ttc.passes.fuse.fuse_batch_norm import fuse_batch_norm
from ttc.passes.fuse.fuse_epilogue import fuse_epilogue
from ttc.passes.fuse.fuse_linear import fuse_linear
from ttc.passes.fuse.fuse_modulation import fuse_modulation
from ttc.passes.fuse.fuse_norm import fuse_norm
from ttc.passes.fuse.fuse_offset import fuse_offset
from ttc.passes.fuse.fuse_pad import fuse_pad
from ttc.passes.fuse.fuse_rotary import fuse_rotary
from ttc.passes.fuse.fuse_scale import fuse_scale
from ttc.passes.fuse.fuse_skew import fuse_skew
from ttc.passes.fuse.heads_first import heads_first
from ttc.passes.fuse.merge_linear import merge_linear
from ttc.passes.fuse.merge_rows import merge_rows
from ttc.passes.fuse.split_linear import split_linear
from ttc.passes.fuse.stack_lstm import stack_lstm
from ttc.passes.fuse.sum_linears import sum_linears
from ttc.passes.runner import Pass, run
from ttc.passes.share import share
from ttc.passes.simplify.simplify import simplify

PIPELINE: tuple[Pass, ...] = (
    share,  # first: the passes after it see every expression once
    fold,  # before simplify, which asks for numbers
    simplify,  # the one spelling that all patterns below are written in; every later pass keeps to it
    fuse_skew,  # before anything that looks at the products around it
    fuse_activation,  # before anything that counts readers: a gelu by hand reads its x twice, as one op once
    fuse_norm,  # likewise; and before fuse_batch_norm could take a norm's scale and shift apart
    fuse_rotary,  # before heads_first, which moves whole ops
    fuse_attention,  # before merge_linear: it takes the scale from between a projection and its heads
    fuse_linear,  # before fuse_batch_norm and merge_linear, which look for linears with their bias
    split_linear,  # after fuse_linear; before fuse_offset and fuse_epilogue, for each part may end otherwise
    fuse_offset,  # after split_linear, whose parts are modulated by 1 + themselves
    fuse_affine,  # after fuse_norm, whose patterns have a scale and a shift of their own
    fuse_modulation,  # after fuse_offset and fuse_affine, which leave linears scaled by constants
    fuse_batch_norm,
    fuse_scale,  # before merge_linear, which makes one weight of queries, keys and values
    fuse_epilogue,  # after whatever can stand between a product and its activation
    sum_linears,  # after fuse_epilogue: a sum has no activation inside
    heads_first,  # after fuse_norm and fuse_rotary; before merge_linear, which follows projections to the attention
    merge_linear,
    merge_rows,  # after fuse_modulation and fuse_epilogue, which change the linears that are to be one
    stack_lstm,  # any time after simplify
    fuse_pad,  # any time before channels_last
    decompose_stft,  # before decompose, for it leaves pads
    decompose,  # after the fusions, which look for whole ops
    cut_lines,  # after both decompositions, which make and read lines of blocks
    channels_last,  # last: it hides shapes that patterns look for
)

NEEDED: tuple[Pass, ...] = (share, fold, simplify, decompose_stft, decompose, cut_lines)
"""Passes without which ops cannot be lowered, in the order of the pipeline; the others make programs better."""

__all__ = ["NEEDED", "PIPELINE", "Pass", "channels_last", "decompose", "run"]
