"""Sources of models; each framework is imported only for a model of its own."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ttc.errors import InputError
from ttc.guard.files import as_path
from ttc.sources.source import Inputs, Source

__all__ = ["Inputs", "Source", "source_of"]


Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and keyword arguments of a module's call."""

NO_STATES: Mapping[str, str] = MappingProxyType({})


def source_of(
    model: Any,
    arguments: Arguments | None,
    dynamic_shapes: Any,
    lengths: dict[str, int],
    trust: bool = False,
    states: Mapping[str, str] = NO_STATES,
) -> Source:
    """Return the source for a model that a user hands to `ttc.compile`; InputError for anything else.

    A file is read as data alone, unless the user trusts it (docs/security.md). `states` are for ONNX models: inputs by
    the outputs that they take in the next run.
    """
    if states and (is_module(model) or _is_exported(model)):
        raise InputError("state binds inputs to outputs of ONNX models; the state of torch's is the buffers it changes")
    if is_module(model):
        from ttc.sources.torch_source import module_source

        return module_source(model, arguments, dynamic_shapes, lengths)
    is_content = isinstance(model, (bytes, bytearray, memoryview)) or callable(getattr(model, "read", None))
    is_read = isinstance(model, (str, PathLike)) or is_content or _is_onnx(model) or _is_exported(model)
    if is_read and (arguments is not None or dynamic_shapes is not None):
        what = "args and kwargs are" if arguments is not None else "dynamic_shapes is"
        raise InputError(f"{what} for torch modules, which are exported; sizes of other models are bound by lengths")
    if isinstance(model, (str, PathLike)):
        return _file(as_path(model), lengths, trust, states)
    if is_content:
        return _onnx(_content(model), lengths, states)
    if _is_onnx(model):
        return _onnx(model, lengths, states)
    from ttc.sources.torch_source import exported_source

    return exported_source(model, lengths)


def _is_onnx(model: Any) -> bool:
    """Return whether a model is one of ONNX's own objects, or torch's export to ONNX."""
    return type(model).__module__.partition(".")[0] in ("onnx", "onnx_ir") or type(model).__name__ == "ONNXProgram"


def _is_exported(model: Any) -> bool:
    """Return whether a model is torch's, as a file or in memory, but no module."""
    return type(model).__name__ == "ExportedProgram" or (
        isinstance(model, (str, PathLike)) and as_path(model).suffix == ".pt2"
    )


def is_module(model: Any) -> bool:
    """Return whether a model is a torch module; torch is not imported to find out."""
    return any(f"{kind.__module__}.{kind.__name__}" == "torch.nn.modules.module.Module" for kind in type(model).__mro__)


def _content(model: Any) -> bytes:
    """Read the bytes of a model that is no file on disk."""
    content = model.read() if callable(getattr(model, "read", None)) else model
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise InputError("a model is binary: open its file in mode 'rb'")
    content = bytes(content)
    if content.startswith(b"PK"):
        raise InputError("these bytes are an archive (.pt2), not an ONNX model: write them to a file and give its path")
    return content


def _file(path: Path, lengths: dict[str, int], trust: bool, states: Mapping[str, str]) -> Source:
    match path.suffix:
        case ".onnx":
            return _onnx(path, lengths, states)
        case ".pt2":
            from ttc.frontend.archive import open_file, reading
            from ttc.sources.torch_source import program_source

            program = open_file(path, trust)
            with reading(path):
                return program_source(program, lengths, (path,))
    raise InputError(f"{path}: a model is a .onnx or a .pt2 file{_hint(path)}")


WEIGHTS = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")
TENSORFLOW = (".h5", ".keras", ".pb", ".tflite")


def _hint(path: Path) -> str:
    """Advise a user who gives a file of another kind."""
    if path.suffix in WEIGHTS:
        return (
            f"; a {path.suffix} file holds weights, no network: in Python load them into their module and write "
            "torch.export.save(torch.export.export(module.eval(), args), 'model.pt2'), "
            "or give the module to ttc.compile"
        )
    if path.suffix in TENSORFLOW:
        return f"; a {path.suffix} file is TensorFlow's: the package tf2onnx makes an .onnx file of it"
    return "; an artifact is compiled already" if path.suffix == ".ttc" else ""


def _onnx(model: Any, lengths: dict[str, int], states: Mapping[str, str]) -> Source:
    from ttc.sources.onnx_source import onnx_source

    return onnx_source(model, lengths, states)
