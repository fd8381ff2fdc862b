"""Weights and constants of a `.pt2` archive: raw numbers, seen through the shapes in the archive's lists."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch._export.serde.schema import PayloadConfig, PayloadMeta, TensorMeta
from torch._export.serde.serialize import _SERIALIZE_TO_TORCH_DTYPE as DTYPES

from ttc.errors import InputError
from ttc.frontend.archive.members import Archive
from ttc.frontend.archive.program import check_path, check_tensor
from ttc.frontend.archive.records import record
from ttc.frontend.archive.unsafe import unsafe


def read_tensors(archive: Archive, folder: str, listing: str) -> dict[str, Tensor]:
    """Read the tensors that the list names, from raw members in `folder`; tensors that share a member share memory."""
    config = record(PayloadConfig, archive.json(folder + listing), folder + listing)
    storages: dict[str, torch.UntypedStorage] = {}
    found: dict[str, Tensor] = {}
    for name, payload in config.config.items():
        check_path(name)
        meta = _meta(name, payload)
        if payload.path_name not in storages:
            storages[payload.path_name] = _storage(archive.read(folder + payload.path_name))
        tensor = _view(name, storages[payload.path_name], meta)
        found[name] = torch.nn.Parameter(tensor, requires_grad=False) if payload.is_param else tensor
    return found


def _meta(name: str, payload: PayloadMeta) -> TensorMeta:
    if payload.use_pickle or payload.tensor_meta is None:
        raise unsafe(f"{name} is stored as a pickle, which can run code")
    check_tensor(payload.tensor_meta)
    if payload.tensor_meta.dtype not in DTYPES:
        raise InputError(f"{name} has no dtype that torch knows")
    if any(item.type != "as_int" for item in (*payload.tensor_meta.sizes, *payload.tensor_meta.strides)):
        raise InputError(f"{name} has sizes that are not fixed")
    return payload.tensor_meta


def _storage(content: bytearray) -> torch.UntypedStorage:
    if not content:
        return torch.UntypedStorage(0)
    return torch.frombuffer(content, dtype=torch.uint8).untyped_storage()


def _view(name: str, storage: torch.UntypedStorage, meta: TensorMeta) -> Tensor:
    """Return the tensor of this shape in a storage, which must hold all of it; without data where none is stored."""
    dtype = DTYPES[meta.dtype]
    sizes, strides = [item.value for item in meta.sizes], [item.value for item in meta.strides]
    if meta.storage_offset.type != "as_int":
        raise InputError(f"{name} has a place that is not fixed")
    if storage.nbytes() == 0 and math.prod(sizes):
        return torch.empty_strided(sizes, strides, dtype=dtype, device="meta")
    last = sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True)) if math.prod(sizes) else -1
    if (meta.storage_offset.value + last + 1) * dtype.itemsize > storage.nbytes():
        raise InputError(f"{name} is larger than its stored bytes")
    return torch.empty(0, dtype=dtype).set_(storage, meta.storage_offset.value, sizes, strides)
