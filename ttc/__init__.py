"""ttc: from PyTorch and ONNX models to programs of Tenstorrent's TTNN calls.

    compiled = ttc.compile("model.onnx")
    outputs = compiled.run({"x": x})
    compiled.save("model.ttc")

    with ttc.accelerate(model):    # the model's own code, with submodules on the device
        model.generate(prompt)

Importing this package is cheap. Loading, running, checking and inspecting an artifact need numpy alone beside the
device's own library; compiling and emulating need what `tt-compile[compile]` brings.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from ttc.errors import TtcError, require
from ttc.version import VERSION as __version__

if TYPE_CHECKING:
    from ttc.acceleration.acceleration import Acceleration
    from ttc.compiled.compiled import Compiled
    from ttc.compiled.executable import Executable

__all__ = ["TtcError", "__version__", "accelerate", "compile", "load"]


def compile(
    model: Any,
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    target: str = "n150",
    dtype: Any = "bf16",
    lengths: Mapping[str, int | Sequence[int]] | None = None,
    dynamic_shapes: Any = None,
    allow_host: Sequence[str] = (),
    fidelity: str | None = None,
    optimize: int = 1,
    min_pcc: float | None = None,
    inputs: Any = None,
    activations: str | None = None,
    state: Mapping[str, str] | None = None,
    trust: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Compiled:
    """Compile a model for a card.

    `model` is a path (.onnx, .pt2), an ONNX model (onnx.ModelProto, onnx_ir.Model, torch.onnx.ONNXProgram, bytes or
    a binary file), a torch.nn.Module or a torch.export.ExportedProgram; a module is exported for `args` (one argument
    may stand without a tuple) and `kwargs`, or on its first run. `dtype` is "bf16", "fp32" (or what torch calls these),
    "bfp8" or "bfp4" (the last two for the weights of products and convolutions). `lengths` gives sizes to named
    dimensions, which ONNX files have and `dynamic_shapes` (torch.export's form) gives to modules; several sizes are
    buckets: a run takes the smallest program that fits, and its padding changes no result.
    Weights are those of this call: whatever has data is copied, and what is done to the model afterwards changes no
    form and no saved file. Compile again for new weights; torch.compile(model, backend="ttc") sees changes by itself.
    `dtype` "auto" chooses bf16, bfp8 or bfp4 for each weight of a product or convolution: the cheapest with which each
    output of a run on `inputs` correlates with fp32's by `min_pcc` (0.99 if not given); `compiled.choice` tells them,
    and `dtype` may be a dict of dtypes by the weights' names (docs/numbers.md). `activations` "bfp8" stores in that
    format what products, convolutions, sums and pools hand on to each other, which is bf16 otherwise.
    `state` binds inputs of an ONNX model to outputs, whose numbers they take in the next run of a session; a module's
    state is the buffers that it changes (docs/state.md).
    `allow_host` names ops that the host may do where the card cannot (`ttc ops` lists the names); `fidelity` ("LoFi",
    "HiFi2", "HiFi3", "HiFi4") overrules the math fidelity that is chosen for each call (docs/numbers.md); `optimize`
    0 keeps each op alone and every value in DRAM, for comparison and for debugging, and 3 has an exact solver choose
    what lies in L1 (docs/placement.md); `trust` lets torch read a .pt2 file as it does, with whatever code the file
    holds (docs/security.md); `progress` is told what is being done.

    Raises InputError for unusable input, Refused with every reason why the model cannot be compiled.
    """
    require("compiling")
    from ttc.compiled.arguments import (
        automatic,
        length_sizes,
        model_arguments,
        require_callable,
        state_names,
        weight_formats,
    )
    from ttc.compiled.compiled import Compiled
    from ttc.compiled.options import options_named
    from ttc.dtype_policy.search import with_chosen_dtypes
    from ttc.pipeline import every_stage
    from ttc.sources import source_of

    require_callable("progress", progress)
    least = automatic(dtype, inputs, min_pcc)
    weights = weight_formats(dtype) if isinstance(dtype, Mapping) else {}
    named = "bf16" if least is not None or isinstance(dtype, Mapping) else dtype
    options = options_named(target, named, allow_host, fidelity, optimize, weights, activations)
    sizes = length_sizes(lengths)
    largest = {name: listed[-1] for name, listed in sizes.items()}
    with every_stage(options):
        arguments, states = model_arguments(args, kwargs), state_names(state)
        source = source_of(model, arguments, dynamic_shapes, largest, bool(trust), states)
        compiled = Compiled(source, options, sizes, progress)
    return compiled if least is None else with_chosen_dtypes(compiled, inputs, least, progress)


def load(path: str | PathLike[str], weights: Mapping[str, Any] | None = None) -> Executable:
    """Load a `.ttc` artifact; nothing in it is run as code.

    `weights` binds a model's own weights by name (numpy arrays or torch tensors) to an artifact saved without
    data, as they are now. Raises InputError for a file that is damaged or no artifact, and for weights that do not fit.
    """
    from ttc.compiled.executable import Executable
    from ttc.guard.files import as_path
    from ttc.runtime.file.artifact import load as load_artifact

    loaded = Executable(*load_artifact(as_path(path)))
    if weights is None:
        return loaded
    require("binding weights")
    from ttc.compiled.binding import bind_weights

    return bind_weights(loaded, weights)


def accelerate(
    model: Any,
    replace: Collection[Any] | None = None,
    exclude: Collection[Any] = (),
    *,
    device: str | None = None,
    mode: str = "NORMAL",
    allow_fallback: Collection[Any] = (),
    free_after_use: bool = False,
    signatures: int = 8,
    target: str = "n150",
    dtype: Any = "bf16",
    allow_host: Sequence[str] = (),
    fidelity: str | None = None,
    optimize: int = 1,
) -> Acceleration:
    """Let chosen submodules of a PyTorch model run on a device, behind the interface that each of them has.

    `replace` names them by class, name of the class, or name in the model; by default the largest do that can be
    compiled. `exclude` names those that stay in torch, with all in them. A module is compiled at its first call with
    tensors of such shapes and dtypes, and keeps the programs of the latest `signatures` kinds of calls.
    `mode` is a run mode (docs/accelerate.md); `allow_fallback` names modules that `require_no_fallback` passes over;
    with `free_after_use` the weights of a module are on the device for as long as the module runs. `device` is as for
    `Compiled.session`, all else as for `compile`. The model is changed in place until the result is restored.

    Raises InputError for a model, a name or a mode that cannot be used.
    """
    require("acceleration")
    from ttc.acceleration.acceleration import Settings, accelerated
    from ttc.acceleration.modes import mode_named
    from ttc.compiled.options import options_named

    options = options_named(target, dtype, allow_host, fidelity, optimize)
    settings = Settings(options, device, mode_named(mode), allow_fallback, bool(free_after_use), signatures)
    return accelerated(model, replace, exclude, settings)
