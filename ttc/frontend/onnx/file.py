"""Opening of ONNX files, with one sentence about each fault of a file."""

from __future__ import annotations

from collections.abc import Iterable
from mmap import mmap
from os import PathLike
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError, Message

from ttc.errors import InputError
from ttc.frontend.onnx.tensors import Store
from ttc.frontend.onnx.unique import require_unique_names
from ttc.guard.files import map_file

OLDEST_OPSET = 1


Opened = tuple[onnx.ModelProto, Store]
"""A model, and where its external data may lie."""


def open_model(model: str | PathLike | bytes | onnx.ModelProto | Opened) -> Opened:
    """Open a file, its bytes or a model, once: an opened model is returned as is. InputError for an unusable one."""
    if isinstance(model, tuple):
        return model
    if isinstance(model, onnx.ModelProto):
        return _checked(model, "the model"), Store(None)
    if isinstance(model, bytes):
        return _checked(_parse(model, "the model"), "the model"), Store(None)
    path = Path(model)
    if not path.exists():
        raise InputError(f"there is no file {str(path)!r}")
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder, not an .onnx file")
    return _checked(_parse(map_file(path), str(path)), repr(str(path))), Store(path)


def _parse(data: bytes | mmap, path: str) -> onnx.ModelProto:
    if not data:
        raise InputError(f"{path!r} is empty")
    start = data[:512]
    if _is_text(start):
        hint = " (a Git LFS pointer: fetch the real file)" if start.startswith(b"version https://git-lfs") else ""
        raise InputError(f"{path!r} is a text file, not an ONNX model{hint}")
    try:
        model = onnx.ModelProto.FromString(memoryview(data))  # type: ignore[arg-type]  # which takes a mapped file without a copy
    except DecodeError:
        raise InputError(f"{path!r} is not an ONNX model, or it is cut short or damaged") from None
    if not _is_readable(model):
        raise InputError(f"{path!r} is damaged: a name in it is no UTF-8 text")
    return model


def _is_readable(message: Message) -> bool:
    """Return whether all names in a message, and in the messages inside, are text: those of no UTF-8 are bytes."""
    for field, value in _fields(message):
        if field.type == field.TYPE_MESSAGE:
            if not all(map(_is_readable, value if field.is_repeated else (value,))):
                return False
        elif field.type == field.TYPE_STRING and bytes in map(type, value if field.is_repeated else (value,)):
            return False
    return True


def _fields(message: Message) -> Iterable[tuple[Any, Any]]:
    """Return the fields that are set, without notes of exporters; of a tensor without data, which would be copied."""
    if isinstance(message, onnx.TensorProto):
        return [(field, getattr(message, field.name)) for field in OF_A_TENSOR]
    return [(field, value) for field, value in message.ListFields() if field.name != "metadata_props"]


OF_A_TENSOR = tuple(onnx.TensorProto.DESCRIPTOR.fields_by_name[name] for name in ("name", "external_data"))
"""The fields of a tensor that hold names."""


def _is_text(start: bytes) -> bool:
    return all(byte in b"\t\r\n\f" or 32 <= byte < 127 for byte in start)


def _checked(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    if not model.graph.output:
        raise InputError(f"{name} is not an ONNX model, or it is cut short: it has no outputs")
    versions = {entry.domain: entry.version for entry in model.opset_import}
    versions.setdefault("", versions.get("ai.onnx", 0))
    newest = onnx.defs.onnx_opset_version()
    if not any(versions.values()):
        raise InputError(f"{name} is not an ONNX model, or it is cut short: it names no opset")
    if versions[""] and not OLDEST_OPSET <= versions[""] <= newest:
        raise InputError(f"{name} uses ONNX opset {versions['']}; opsets {OLDEST_OPSET} to {newest} are supported")
    require_unique_names(model, name)
    return model
