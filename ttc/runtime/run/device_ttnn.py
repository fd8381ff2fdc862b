"""A card, or a mock of one, through the genuine `ttnn`: the only file that imports it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import ttnn  # pyright: ignore[reportMissingImports] (there is none for every Python)

from ttc.calls.call import Call
from ttc.calls.spelling import DTYPES, arguments, build, resolve, spelled
from ttc.calls.target import L1_SMALL_BYTES, Target
from ttc.errors import InputError, Refusal
from ttc.ir import DRAM, HOST, Buffer, DType, Layout, MemoryConfig, Sharding, ShardSpec, Spec, Value
from ttc.ir.operands import operand_fields
from ttc.ir.weights import bf16_to_float32
from ttc.runtime.run.card import require_like

graph_capture = ttnn._ttnn.graph  # the public wrapper `ttnn.graph` needs torch
RunMode = graph_capture.RunMode

OUR_DTYPES = {resolve(name, ttnn): dtype for dtype, name in DTYPES.items()}
NUMPY_INTEGERS = {DType.i32: np.int32, DType.u32: np.uint32, DType.u16: np.uint16, DType.u8: np.uint8}
"""The numpy dtype that TTNN takes for each integer type, and float32 for all others: any other may end the process."""


class TtnnDevice:
    """One opened card. Close it, or use it as a context manager."""

    def __init__(self) -> None:
        self.device = ttnn.open_device(device_id=0, l1_small_size=L1_SMALL_BYTES)
        self._banks: int = self._memory(ttnn.BufferType.DRAM).num_banks

    def __enter__(self) -> TtnnDevice:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the card back; tensors on it are lost."""
        ttnn.close_device(self.device)

    def measured(self) -> Target:
        """Measure the card: the row of `TARGETS` that it is, under TTNN's name of the board."""
        arch, grid = self.device.arch().name.lower(), self.device.compute_with_storage_grid_size()
        board = ttnn.cluster.get_cluster_type()
        name = "card" if board == ttnn.cluster.ClusterType.INVALID else board.name.lower()
        summary = f"{arch.partition('_')[0].capitalize()} {name}"
        dram, l1 = self._memory(ttnn.BufferType.DRAM), self._memory(ttnn.BufferType.L1)
        return Target(
            name=name,
            summary=summary if ttnn.GetNumAvailableDevices() == 1 else f"one chip of a {summary}",
            arch=arch,
            grid=(grid.x, grid.y),
            l1_bytes=l1.total_bytes_per_bank + L1_SMALL_BYTES,
            dram_banks=dram.num_banks,
            dram_bank_bytes=dram.total_bytes_per_bank,
        )

    def _memory(self, buffers: ttnn.BufferType) -> Any:
        return ttnn.get_memory_view(self.device, buffers)

    def upload(self, array: np.ndarray, spec: Spec) -> ttnn.Tensor:
        """Upload a tensor of `spec`; sharded ones arrive interleaved and are sharded on the card."""
        array = _uploadable(array, spec)
        form = {"data_type": theirs(spec.dtype), "layout": theirs(spec.layout)}
        with refusals():
            if spec.memory == HOST:
                return ttnn.Tensor(array, **form)
            tensor = ttnn.Tensor(array, **form, device=self.device, mem_config=ttnn.DRAM_MEMORY_CONFIG)
            return tensor if spec.memory == DRAM else ttnn.to_memory_config(tensor, theirs(spec.memory))

    def empty(self, spec: Spec) -> ttnn.Tensor:
        """Make a tensor of `spec` without data, which takes no memory of the host unless `spec` is in the host's."""
        if spec.memory == HOST:
            return self.upload(np.zeros(spec.shape, NUMPY_INTEGERS.get(spec.dtype, np.float32)), spec)
        with refusals():
            return ttnn.empty(spec.shape, theirs(spec.dtype), theirs(spec.layout), self.device, theirs(spec.memory))

    def run(self, call: Call, operands: Mapping[str, Any]) -> tuple[ttnn.Tensor, ...]:
        """Run one call; Refusal with TTNN's own words if TTNN does not take the call."""
        positional, keywords = self.arguments(call, operands)
        with refusals():
            result = resolve(call.mnemonic.removeprefix("ttnn."), ttnn)(*positional, **keywords)
        if result is None:
            return ()
        return tuple(result) if isinstance(result, (tuple, list)) else (result,)

    def traced(self, call: Call, operands: Mapping[str, Any]) -> tuple[tuple[ttnn.Tensor, ...], list[dict], int]:
        """Run one call; return its results, TTNN's trace of the run, and the call's own peak of L1 per core in bytes.

        The call runs twice: as on a card, with the real allocator, and without dispatch, which alone tells the
        sizes of circular buffers. Refusal if TTNN does not take the call.
        """
        results, notes = self._captured(RunMode.NORMAL, call, operands)
        _, sizes = self._captured(RunMode.NO_DISPATCH, call, operands)
        return results, notes, graph_capture.extract_resource_usage_per_core(sizes).peak_total

    def _captured(
        self, mode: Any, call: Call, operands: Mapping[str, Any]
    ) -> tuple[tuple[ttnn.Tensor, ...], list[dict]]:
        graph_capture.begin_graph_capture(mode)
        try:
            results = self.run(call, operands)
        finally:
            notes = graph_capture.end_graph_capture()
        return results, notes

    def spec_of(self, tensor: ttnn.Tensor) -> tuple[Spec, tuple[int, ...]]:
        """Return the spec of a tensor as TTNN made the tensor, and its padded shape."""
        return spec_of_tensor(tensor)

    @property
    def dram_banks(self) -> int:
        """Return the number of banks that DRAM is interleaved over."""
        return self._banks

    def dram_allocated(self) -> int:
        """Return the bytes allocated now in all of DRAM, for which TTNN goes through all blocks."""
        dram = self._memory(ttnn.BufferType.DRAM)
        return dram.num_banks * dram.total_bytes_allocated_per_bank

    def l1_allocated(self) -> int:
        """Return the bytes allocated now in the L1 of each core."""
        return self._memory(ttnn.BufferType.L1).total_bytes_allocated_per_bank

    def dram_buffer(self, tensor: ttnn.Tensor) -> tuple[int, int] | None:
        """Return the number of a tensor's buffer and the bytes that it takes of each bank; None outside of DRAM."""
        if not ttnn.is_tensor_storage_on_device(tensor) or not tensor.is_allocated():
            return None
        if tensor.memory_config().buffer_type != ttnn.BufferType.DRAM:
            return None
        pages = -(-tensor.buffer_num_pages() // self.dram_banks)
        return tensor.buffer_unique_id(), pages * tensor.buffer_aligned_page_size()

    def arguments(self, call: Call, operands: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments of TTNN's function for `call`: tensors for values, TTNN's own objects for the rest."""
        tensors: dict[Value, Any] = {}
        for name in operand_fields(type(call)):
            item = getattr(call, name)
            tensors.update(
                zip(item, operands[name], strict=True) if isinstance(item, tuple) else [(item, operands[name])]
            )

        def argument(item: Any) -> Any:
            if isinstance(item, Value):
                return tensors[item]
            if isinstance(item, tuple) and item and isinstance(item[0], Value):
                return [tensors[part] for part in item]
            return theirs(item)

        positional, keywords = arguments(call)
        given = {name: argument(item) for name, item in keywords.items()}
        if call.needs_device:
            given["device"] = self.device
        return [argument(item) for item in positional], given

    def download(self, tensor: ttnn.Tensor, spec: Spec) -> np.ndarray:
        """Return the tensor's numbers in its logical shape."""
        host = tensor.cpu()
        if spec.dtype.is_float:
            return np.array(ttnn.to_dtype(host, ttnn.float32).to_numpy(), np.float32).reshape(spec.shape)
        kind = np.uint32 if spec.dtype is DType.u32 else np.int32
        return np.array(host.to_numpy(), kind).reshape(spec.shape)


def open_card(target: Target | None) -> TtnnDevice:
    """Open the card in this machine; InputError if the card is not like the one that programs of `target` are for."""
    with refusals():
        device = TtnnDevice()
    try:
        if target is not None:
            require_like(device.measured(), target)
    except BaseException:
        device.close()
        raise
    return device


def theirs(attribute: Any) -> Any:
    """Return one of our attributes as TTNN's own object."""
    return build(spelled(attribute), ttnn)


def _uploadable(array: np.ndarray, spec: Spec) -> np.ndarray:
    """Return the array in a form that TTNN takes; InputError for numbers that TTNN would misread."""
    if spec.dtype.is_float and array.dtype == np.uint16:
        array = bf16_to_float32(array)
    if array.dtype.kind not in ("f" if spec.dtype.is_float else "iu"):
        raise InputError(f"{array.dtype} numbers cannot become a tensor of {spec.dtype}")
    return np.asarray(array.reshape(spec.shape), NUMPY_INTEGERS.get(spec.dtype, np.float32), order="C")


def spec_of_tensor(tensor: ttnn.Tensor) -> tuple[Spec, tuple[int, ...]]:
    """Return the spec of a tensor as TTNN made the tensor, and its padded shape.

    The shard is None where no `ShardSpec` can say it: cores that are no rectangle from the first core on.
    """
    memory = _our_memory(tensor.memory_config()) if ttnn.is_tensor_storage_on_device(tensor) else HOST
    layout = Layout.TILE if tensor.layout == ttnn.TILE_LAYOUT else Layout.ROW_MAJOR
    return Spec(OUR_DTYPES[tensor.dtype], tuple(tensor.shape), layout, memory), tuple(tensor.padded_shape)


def _our_memory(config: ttnn.MemoryConfig) -> MemoryConfig:
    buffer = Buffer.L1 if config.buffer_type == ttnn.BufferType.L1 else Buffer.DRAM
    sharding, shard = Sharding[config.memory_layout.name], config.shard_spec
    if shard is None:
        return MemoryConfig(buffer, sharding)
    end = shard.grid.bounding_box().end
    columns, rows = end.x + 1, end.y + 1
    if shard.grid.num_cores() != columns * rows:
        return MemoryConfig(buffer, sharding)
    column_major = shard.orientation == ttnn.ShardOrientation.COL_MAJOR
    return MemoryConfig(buffer, sharding, ShardSpec((columns, rows), tuple(shard.shape), column_major))


@contextmanager
def refusals() -> Iterator[None]:
    """Raise errors of TTNN as Refusals in TTNN's own words."""
    try:
        yield
    except (RuntimeError, TypeError, ValueError) as error:
        raise Refusal(in_its_own_words(error)) from None


def in_its_own_words(error: Exception) -> str:
    """Return TTNN's message without source line and backtrace; with the arguments where no overload takes them."""
    text = str(error)
    found = re.search(r"\ninfo:\n(.*?)(?:\nbacktrace:|\Z)", text, re.DOTALL)
    if found and found[1].strip():
        return found[1].strip()
    got = re.search(r"^Called with:\s*(.*)", text, re.MULTILINE)
    first = text.strip().partition("\n")[0]
    return f"{first} Called with {got[1]}" if got else first
