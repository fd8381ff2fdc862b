"""The trace of a module with example arguments: an ExportedProgram and its graph."""

from __future__ import annotations

import copy
import io
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from threading import RLock
from typing import Any

import torch
from torch import Tensor, nn
from torch._guards import TracingContext, tracing
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.export import ExportedProgram
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.utils import _pytree as pytree

from ttc.errors import InputError, TtcError
from ttc.frontend.export.caches import register_caches
from ttc.frontend.export.causal import masks_as_given
from ttc.frontend.export.experts import static_experts
from ttc.frontend.export.failure import why_not
from ttc.frontend.export.frozen import tensors_of
from ttc.frontend.export.packed import NO_RESULT, Rows, lengths_kept
from ttc.frontend.export.reader import read
from ttc.frontend.export.signature import Signature, user_inputs
from ttc.frontend.export.spline import static_splines
from ttc.ir import Graph


@dataclass(frozen=True)
class Exported:
    """A model as torch exported it, as a graph of ops, and with the structure of its calls."""

    program: ExportedProgram
    signature: Signature
    graph: Graph


ONE_AT_A_TIME = RLock()
"""torch.export and its decompositions change torch while they work, as we do: threads take turns."""


def export(
    model: nn.Module,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Exported:
    """Export a module for a call with these arguments: tensors of just these shapes and dtypes, these constants.

    Parameters may be real, meta or fake. InputError if the module is in training mode where that matters, or
    torch cannot export the module; Refused if the exported program cannot be read.
    """
    with ONE_AT_A_TIME:
        program = trace(model, args, kwargs)
        graph, signature = read(program, Signature.of(program, model))
        return Exported(program, signature, graph)


def trace(
    model: nn.Module,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> ExportedProgram:
    """Trace a module for a call with these arguments, as `export` does before it reads the program."""
    require_eval(model)
    require_no_autocast()
    register_caches()
    with ONE_AT_A_TIME:
        return _traced(*_prepared(model, tuple(args), dict(kwargs or {})))


def _traced(model: nn.Module, args: tuple, kwargs: dict[str, Any], mode: FakeTensorMode | None) -> ExportedProgram:
    with quiet(), torch.no_grad(), _under(mode), _traceable():
        try:
            return torch.export.export(model, args, kwargs, strict=False)
        except TtcError:
            raise
        except Exception as error:  # the user's own forward runs in here and may raise anything
            why = NO_RESULT if f"{Rows.__module__}.{Rows.__name__}" in str(error) else why_not(error)
            raise InputError(f"torch.export cannot export {type(model).__name__}: {why}") from error


def require_no_autocast() -> None:
    """Require that no autocast is on: its casts are made below what torch.export records; InputError otherwise."""
    if torch.is_autocast_enabled("cpu"):
        raise InputError("torch.autocast is on, and dtype= says which numbers a program computes in: leave autocast")


def read_program(program: ExportedProgram) -> Exported:
    """Read an ExportedProgram that the user has made."""
    with ONE_AT_A_TIME:
        graph, signature = read(program, Signature.of(program))
        return Exported(program, signature, graph)


def symbolic_dims(program: ExportedProgram) -> dict[int, dict[int, str]]:
    """Name the sizes that an exported program leaves open, by number of the argument's leaf and axis."""
    found: dict[int, dict[int, str]] = {}
    for number, node in enumerate(user_inputs(program)):
        sizes = enumerate(getattr(node.meta.get("val"), "shape", ()))
        open_sizes = {axis: str(size) for axis, size in sizes if isinstance(size, torch.SymInt)}
        if open_sizes:
            found[number] = open_sizes
    return found


def require_eval(model: nn.Module) -> None:
    """Require that a module is not in training mode where that matters; InputError otherwise."""
    for name, module in model.named_modules():
        if module.training and _depends_on_training(module):
            where = f"its {type(module).__name__} {name!r}" if name else "it"
            raise InputError(
                f"{type(model).__name__} is in training mode, where {where} behaves differently: call model.eval()"
            )


def _depends_on_training(module: nn.Module) -> bool:
    match module:
        case nn.modules.dropout._DropoutNd():
            return module.p > 0
        case nn.modules.batchnorm._BatchNorm():
            return True
        case nn.modules.instancenorm._InstanceNorm():
            return module.track_running_stats
        case nn.RNNBase() | nn.MultiheadAttention():
            return module.dropout > 0
    return False


REPORTING = ("torch.export._trace", "torch.fx.experimental.symbolic_shapes", "torch._subclasses.fake_tensor")
"""The loggers to which torch reports a failing export, with tracebacks."""


@contextmanager
def quiet() -> Iterator[None]:
    """Silence torch's warnings about its own use of itself, and its reports about an export that fails."""
    loggers = [logging.getLogger(name) for name in REPORTING]
    printed = io.StringIO()
    for logger in loggers:
        logger.disabled = True
    try:
        with _expected_warnings(), redirect_stderr(printed):
            yield
        sys.stderr.write(printed.getvalue())  # the export went well: this is what the user's own code has to say
    finally:
        for logger in loggers:
            logger.disabled = False


@contextmanager
def _traceable() -> Iterator[None]:
    """Let parts of torch and of packages do by arithmetic what they otherwise do by looking into numbers."""
    with lengths_kept(), static_experts(), static_splines(), masks_as_given():
        yield


@contextmanager
def _expected_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
        # nn.LSTM and nn.GRU set their list of weights anew in forward.
        warnings.filterwarnings("ignore", message="The tensor attributes? .*were assigned during export")
        yield


@contextmanager
def _under(mode: FakeTensorMode | None) -> Iterator[None]:
    """Let torch.export fake its tensors in the mode of the model's own, where the model has a mode of ours."""
    if mode is None or mode.shape_env is None:
        yield
        return
    with tracing(TracingContext(mode)):
        yield


def _prepared(
    model: nn.Module, args: tuple, kwargs: dict[str, Any]
) -> tuple[nn.Module, tuple, dict[str, Any], FakeTensorMode | None]:
    """Return model, arguments and mode as torch.export takes them: every tensor its own, all real or all fake."""
    tensors = tensors_of(model)
    mode = next((tensor.fake_mode for tensor in tensors if isinstance(tensor, FakeTensor)), None)
    if mode is None and any(tensor.is_meta for tensor in tensors):
        mode = FakeTensorMode(shape_env=ShapeEnv(tracked_fakes=[]), allow_non_fake_inputs=True, export=True)
        model = _without_data(model, tensors, mode)
    seen: set[int] = set()

    def own(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        if mode is not None:
            return leaf if isinstance(leaf, FakeTensor) else _fake(leaf, mode)
        if leaf.is_meta:
            return torch.zeros_like(leaf, device="cpu")
        if id(leaf) in seen:  # one tensor passed twice: torch.export would take the two inputs for one
            return leaf.detach().clone()
        seen.add(id(leaf))
        return leaf

    args, kwargs = pytree.tree_map(own, (args, kwargs))
    return model, args, kwargs, mode


def _fake(tensor: Tensor, mode: FakeTensorMode) -> Tensor:
    """Make a tensor without data, on the CPU like tensors that the model's own code makes, so that both can meet."""
    with mode:
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)


def _without_data(model: nn.Module, tensors: list[Tensor], mode: FakeTensorMode) -> nn.Module:
    """Copy a module with all its tensors fake; no data is read or copied."""
    memo: dict[int, Any] = {}
    for tensor in tensors:
        fake = _fake(tensor, mode)
        memo[id(tensor)] = nn.Parameter(fake, requires_grad=False) if isinstance(tensor, nn.Parameter) else fake
    return copy.deepcopy(model, memo)
