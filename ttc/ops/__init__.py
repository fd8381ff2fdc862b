"""Ops: for each a type rule (`infer`) and a reference in torch (`eval`); no hardware word in here.

The ops of a family, and what else its file offers to others, are in the file's own `__all__`.
"""

# ruff: noqa: F403 (names are listed where they are defined)

from ttc.ops.activation import *
from ttc.ops.attention import *
from ttc.ops.binary import *
from ttc.ops.cast import *
from ttc.ops.constant import *
from ttc.ops.conv import *
from ttc.ops.folding import *
from ttc.ops.index import *
from ttc.ops.interpret import *
from ttc.ops.matmul import *
from ttc.ops.norm import *
from ttc.ops.paged import *
from ttc.ops.recurrent import *
from ttc.ops.reduce import *
from ttc.ops.shape import *
from ttc.ops.signal import *
from ttc.ops.skew import *
from ttc.ops.torch_types import *
from ttc.ops.unary import *
