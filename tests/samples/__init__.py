"""One line a sample: an op with small operands. `test_samples.py` derives the same tests for each.

`S(kind, **fields)`: a field written as a type ("f32[2,3]") is a run-time input, "weight f32[2,3]" a weight,
"0.5 in f32[2,3]" a constant, anything else an attribute; a list of such strings is a list of operands.
`ranges` bounds an operand's numbers, e.g. ranges={"index": (0, 10)}, or makes them "distinct" (see
`distinct`); `bf16` and `fp32` are the accuracy asked of the emulated program (PCC, scaled error), `refused`
the dtypes for which compiling must be refused; a reason stands beside any of these that is not the default.
"""

from __future__ import annotations

from tests.samples.attention import ATTENTION
from tests.samples.conv import CONV, SPATIAL
from tests.samples.elementwise import ELEMENTWISE
from tests.samples.form import Sample
from tests.samples.patterns import PATTERN
from tests.samples.products import MATMUL, NORM
from tests.samples.recurrent import RECURRENT
from tests.samples.reduce import REDUCE
from tests.samples.shape import CONSTANT, INDEX, SHAPE
from tests.samples.states import STATES

SAMPLES: list[Sample] = [
    *CONV,
    *PATTERN,
    *ELEMENTWISE,
    *REDUCE,
    *MATMUL,
    *NORM,
    *ATTENTION,
    *SHAPE,
    *INDEX,
    *SPATIAL,
    *CONSTANT,
    *RECURRENT,
    *STATES,
]
