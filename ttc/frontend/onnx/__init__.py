"""The ONNX front end: `load` makes a graph of ops from a file or model, `dynamic_dims` lists the sizes to bind."""

from ttc.frontend.onnx import (  # noqa: F401  (each module registers its operators)
    attention,
    conv,
    create,
    elementwise,
    index,
    integer,
    matmul,
    microsoft,
    norm,
    place,
    quantize,
    random,
    recurrent,
    reduce,
    resize,
    sampling,
    sequence,
    shape,
    signal,
    training,
)
from ttc.frontend.onnx.dims import check_lengths, dynamic_dims, input_names
from ttc.frontend.onnx.file import open_model
from ttc.frontend.onnx.importer import load
from ttc.frontend.onnx.states import check_states
from ttc.frontend.onnx.table import names as operators

__all__ = ["check_lengths", "check_states", "dynamic_dims", "input_names", "load", "open_model", "operators"]
