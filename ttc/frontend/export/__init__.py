"""The front end for PyTorch: `torch.nn.Module`s and `ExportedProgram`s.

The table of aten ops is filled by the modules of op families, which are imported here.
"""

from ttc.frontend.export import (
    activation,
    alignment,
    attention,
    bags,
    complex_products,
    conv,
    create,
    elementwise,
    fourier,
    index,
    layer,
    number,
    order,
    paged,
    random,
    recurrent,
    reduce,
    refused,
    resize,
    sampling,
    scatter,
    shape,
    signal,
    special,
)
from ttc.frontend.export.frozen import frozen, frozen_weights, tensors_of
from ttc.frontend.export.outline import Outline, alike, outline
from ttc.frontend.export.reader import load
from ttc.frontend.export.signature import Constant, Signature, call_key
from ttc.frontend.export.tracing import (
    Exported,
    export,
    read_program,
    require_eval,
    require_no_autocast,
    symbolic_dims,
    trace,
)

FAMILIES = (
    activation, alignment, attention, bags, complex_products, conv, create, elementwise, fourier, index, layer, number,
    order, paged, random, recurrent, reduce, refused, resize, sampling, scatter, shape, signal, special,
)  # fmt: skip
__all__ = [
    "Constant",
    "Exported",
    "Outline",
    "Signature",
    "alike",
    "call_key",
    "export",
    "frozen",
    "frozen_weights",
    "load",
    "outline",
    "read_program",
    "require_eval",
    "require_no_autocast",
    "symbolic_dims",
    "tensors_of",
    "trace",
]
