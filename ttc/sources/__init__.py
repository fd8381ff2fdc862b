"""Where models come from; each framework is imported only for a model of its own."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from ttc.errors import InputError
from ttc.sources.source import Inputs, Lengths, Source, Specialisation, single_lengths

__all__ = ["Inputs", "Source", "Specialisation", "source_of"]


def source_of(model: Any, args: Any, kwargs: Any, dynamic_shapes: Any, lengths: Lengths | None) -> Source:
    """The source for what a user hands to `ttc.compile`; InputError for anything else."""
    bound = single_lengths(lengths or {})
    if isinstance(model, (str, PathLike)):
        return _file(Path(model), bound)
    if type(model).__module__.startswith("onnx"):
        return _onnx(model, bound)
    from ttc.sources.torch_source import torch_source

    return torch_source(model, args, kwargs, dynamic_shapes, bound)


def _file(path: Path, lengths: dict[str, int]) -> Source:
    match path.suffix:
        case ".onnx":
            return _onnx(path, lengths)
        case ".pt2":
            from ttc.frontend.export import open_file
            from ttc.sources.torch_source import program_source

            return program_source(open_file(path), lengths)
    raise InputError(f"{path}: a model is a .onnx or a .pt2 file")


def _onnx(model: Any, lengths: dict[str, int]) -> Source:
    from ttc.sources.onnx_source import onnx_source

    return onnx_source(model, lengths)
