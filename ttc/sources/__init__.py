"""Where models come from; each framework is imported only for a model of its own."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from ttc.errors import InputError
from ttc.sources.source import Inputs, Lengths, Source, Specialisation, single_lengths

__all__ = ["Inputs", "Source", "Specialisation", "source_of"]


def source_of(
    model: Any, args: Any, kwargs: Any, dynamic_shapes: Any, lengths: Lengths | None, trust: bool = False
) -> Source:
    """The source for what a user hands to `ttc.compile`; InputError for anything else.

    A file is read as data alone, unless the user trusts it (docs/security.md).
    """
    bound = single_lengths(lengths or {})
    if isinstance(model, (str, PathLike)):
        return _file(Path(model), bound, trust)
    if type(model).__module__.startswith("onnx"):
        return _onnx(model, bound)
    from ttc.sources.torch_source import torch_source

    return torch_source(model, args, kwargs, dynamic_shapes, bound)


def _file(path: Path, lengths: dict[str, int], trust: bool) -> Source:
    match path.suffix:
        case ".onnx":
            return _onnx(path, lengths)
        case ".pt2":
            from ttc.frontend.archive import open_file
            from ttc.sources.torch_source import program_source

            return program_source(open_file(path, trust), lengths, (path,))
    raise InputError(f"{path}: a model is a .onnx or a .pt2 file{_hint(path)}")


WEIGHTS = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")
TENSORFLOW = (".h5", ".keras", ".pb", ".tflite")


def _hint(path: Path) -> str:
    """What to do with a file of another kind."""
    if path.suffix in WEIGHTS:
        return (
            f"; a {path.suffix} file holds weights, no network: in Python load them into their module and write "
            "torch.export.save(torch.export.export(module.eval(), args), 'model.pt2'), "
            "or give the module to ttc.compile"
        )
    if path.suffix in TENSORFLOW:
        return f"; a {path.suffix} file is TensorFlow's: the package tf2onnx makes an .onnx file of it"
    return "; an artifact is compiled already" if path.suffix == ".ttc" else ""


def _onnx(model: Any, lengths: dict[str, int]) -> Source:
    from ttc.sources.onnx_source import onnx_source

    return onnx_source(model, lengths)
