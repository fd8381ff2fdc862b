"""ttc: from PyTorch and ONNX models to programs of Tenstorrent's TTNN calls.

    compiled = ttc.compile("model.onnx")
    outputs = compiled.run({"x": x})
    compiled.save("model.ttc")

Importing this package is cheap. Loading, running, checking and inspecting an artifact need numpy alone beside the
device's own library; compiling and emulating need what `tt-compile[compile]` brings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from ttc.errors import TtcError, require
from ttc.version import VERSION as __version__

if TYPE_CHECKING:
    from ttc.compiled import Compiled
    from ttc.executable import Executable

__all__ = ["TtcError", "__version__", "compile", "load"]


def compile(
    model: Any,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    target: str = "n150",
    dtype: str = "bf16",
    lengths: Mapping[str, int | Sequence[int]] | None = None,
    dynamic_shapes: Any = None,
    allow_host: Sequence[str] = (),
    trust: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Compiled:
    """Compile a model for a card.

    `model` is a path (.onnx, .pt2), an onnx.ModelProto, a torch.nn.Module or a torch.export.ExportedProgram;
    a module is exported for `args` and `kwargs`, or on its first run. `dtype` is "bf16", "fp32", "bfp8" or
    "bfp4" (the last two for the weights of products and convolutions). `lengths` gives sizes to named
    dimensions, which ONNX files have and `dynamic_shapes` (torch.export's form) gives to modules; several sizes are
    buckets: a run takes the smallest program that fits, and its padding changes no result.
    Weights are those of this call: whatever has data is copied, and what is done to the model afterwards changes no
    form and no saved file. Compile again for new weights; torch.compile(model, backend="ttc") sees changes by itself.
    `allow_host` names ops that the host may do where the card cannot (`ttc ops` lists the names); `trust` lets torch
    read a .pt2 file as it does, with whatever code the file holds (docs/security.md); `progress` is told what is being
    done.

    Raises InputError for unusable input, Refused with every reason why the model cannot be compiled.
    """
    require("compiling")
    from ttc.buckets import Bucketed, bucket_sizes, largest
    from ttc.calls.target import target_named
    from ttc.compiled import Compiled
    from ttc.errors import InputError
    from ttc.pipeline import DTYPES, every_stage
    from ttc.sources import source_of

    if dtype not in DTYPES:
        raise InputError(f"no dtype is called {dtype!r}; choose from {', '.join(DTYPES)}")
    card = target_named(target)
    buckets = bucket_sizes(lengths)
    with every_stage(card, dtype, allow_host):
        if buckets:
            source = source_of(model, args, kwargs, dynamic_shapes, largest(lengths or {}), trust)
            return Bucketed(source, buckets, card, dtype, progress, allow_host)
        source = source_of(model, args, kwargs, dynamic_shapes, lengths, trust)
        return Compiled(source, card, dtype, progress, allow_host)


def load(path: str | PathLike[str], weights: Mapping[str, Any] | None = None) -> Executable:
    """Load a `.ttc` artifact; nothing in it is run as code.

    `weights` binds a model's own weights by name (numpy arrays or torch tensors) to an artifact saved without
    data. Raises InputError for a file that is damaged or no artifact, and for weights that do not fit.
    """
    from ttc.executable import Executable
    from ttc.runtime.artifact import load as load_artifact

    artifact = load_artifact(path)
    bound = artifact.weights
    if weights is not None:
        require("binding weights")
        from ttc.binding import bound_weights

        bound = bound_weights(artifact, weights)
    if artifact.buckets:
        from ttc.bucket_executable import BucketExecutable

        return BucketExecutable(artifact.program, artifact.derivation, bound, artifact.literals, artifact.buckets)
    return Executable(artifact.program, artifact.derivation, bound, artifact.literals)
