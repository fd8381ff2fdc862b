"""A card, or a mock of one, through the genuine `ttnn`: the only file that imports it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from math import prod
from threading import RLock
from typing import Any

import numpy as np

from ttc.calls.call import Call
from ttc.calls.shards import is_sharded
from ttc.calls.spelling import DTYPES, resolve
from ttc.calls.target import L1_SMALL_BYTES, Target
from ttc.errors import InputError
from ttc.ir import DRAM, HOST, Buffer, DType, Layout, MemoryConfig, Sharding, ShardSpec, Spec
from ttc.ir.weights import bf16_to_float32
from ttc.runtime.run import bound_call
from ttc.runtime.run.bound_call import BoundCall, refusals
from ttc.runtime.run.card import require_like
from ttc.runtime.run.queues import Queues

os.environ.setdefault("HOME", os.path.expanduser("~"))  # services have none, and ttnn crashes without it when imported
import ttnn  # pyright: ignore[reportMissingImports] (there is none for every Python)

graph_capture = ttnn._ttnn.graph  # the public wrapper `ttnn.graph` needs torch
RunMode = graph_capture.RunMode

OUR_DTYPES = {resolve(name, ttnn): dtype for dtype, name in DTYPES.items()}
NUMPY_INTEGERS = {DType.i32: np.int32, DType.u32: np.uint32, DType.u16: np.uint16, DType.u8: np.uint8}
"""The numpy dtype that TTNN takes for each integer type, and float32 for all others: any other may end the process."""


class TtnnDevice:
    """One opened card. Close it, or use it as a context manager; `users` are the sessions that share it.

    With a trace region, in bytes, sessions can trace their runs.
    """

    def __init__(self, trace_region: int = 0) -> None:
        traces = {"trace_region_size": trace_region, "num_command_queues": 2} if trace_region else {}
        self.device = ttnn.open_device(device_id=0, l1_small_size=L1_SMALL_BYTES, **traces)
        self.queues = Queues(ttnn, self.device, trace_region)
        self.users = 0
        self._banks: int = self._memory(ttnn.BufferType.DRAM).num_banks

    def __enter__(self) -> TtnnDevice:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the card back; tensors and traces on it are lost."""
        with self.queues.turn:
            self.queues.release_all()
            ttnn.close_device(self.device)

    def leave(self) -> None:
        """Give a card that `join_card` gave back; the last session closes the card."""
        with SHARING:
            if self in CARDS:
                self.users -= 1
                if not self.users:
                    CARDS.remove(self)
                    self.close()

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

    def scope(self) -> AbstractContextManager[object]:
        """Return an empty scope."""
        return nullcontext()

    def upload(self, array: np.ndarray, spec: Spec) -> ttnn.Tensor:
        """Upload a tensor of `spec`; the host shards for DRAM, and what is for L1 is moved there on the card."""
        if spec.memory == HOST:
            return self.on_host(array, spec)
        if is_sharded(spec) and spec.memory.buffer is Buffer.DRAM:
            with refusals():
                return ttnn.to_device(self.on_host(array, spec), self.device, memory_config=theirs(spec.memory))
        place = {"device": self.device, "mem_config": ttnn.DRAM_MEMORY_CONFIG}
        with refusals():
            tensor = ttnn.Tensor(_uploadable(array, spec), **_form(spec), **place)
            return tensor if spec.memory == DRAM else ttnn.to_memory_config(tensor, theirs(spec.memory))

    def on_host(self, array: np.ndarray, spec: Spec) -> ttnn.Tensor:
        """Make a tensor in the host's memory, in the form of `spec`."""
        array = _uploadable(array, spec)
        with refusals():
            return ttnn.Tensor(array, **_form(spec))

    def empty(self, spec: Spec) -> ttnn.Tensor:
        """Make a tensor of `spec` without data, which takes no memory of the host unless `spec` is in the host's."""
        if spec.memory == HOST:
            return self.upload(np.zeros(spec.shape, NUMPY_INTEGERS.get(spec.dtype, np.float32)), spec)
        with refusals():
            return ttnn.empty(spec.shape, theirs(spec.dtype), theirs(spec.layout), self.device, theirs(spec.memory))

    def bind(self, call: Call) -> BoundCall:
        """Make one call ready to run: the function and its arguments, but for the tensors."""
        return BoundCall(call, ttnn, self.device)

    def traced(self, call: Call, operands: Sequence[Any]) -> tuple[tuple[ttnn.Tensor, ...], list[dict], int]:
        """Run one call; return its results, TTNN's trace of the run, and the call's own peak of L1 per core in bytes.

        The call runs twice: as on a card, with the real allocator, and without dispatch, which alone tells the
        sizes of circular buffers. Refusal if TTNN does not take the call.
        """
        bound = self.bind(call)
        results, notes = _captured(RunMode.NORMAL, bound, operands)
        _, sizes = _captured(RunMode.NO_DISPATCH, bound, operands)
        return results, notes, graph_capture.extract_resource_usage_per_core(sizes).peak_total

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
        shard = tensor.memory_config().shard_spec
        if shard is not None:
            pages = tensor.buffer_num_pages() * prod(shard.shape) // prod(tensor.padded_shape)
        else:
            pages = -(-tensor.buffer_num_pages() // self.dram_banks)
        return tensor.buffer_unique_id(), pages * tensor.buffer_aligned_page_size()

    def l1_address(self, tensor: ttnn.Tensor) -> int | None:
        """Return where a tensor's buffer begins in L1, on all cores alike; None outside of L1."""
        on_device = ttnn.is_tensor_storage_on_device(tensor) and tensor.is_allocated()
        if not on_device or tensor.memory_config().buffer_type != ttnn.BufferType.L1:
            return None
        return tensor.buffer_address()

    def synchronize(self) -> None:
        """Let the card finish all calls."""
        self.queues.wait()

    def download(self, tensor: ttnn.Tensor, spec: Spec) -> np.ndarray:
        """Return the tensor's numbers in its logical shape."""
        host = tensor.cpu()
        if spec.dtype.is_float:
            return np.array(ttnn.to_dtype(host, ttnn.float32).to_numpy(), np.float32).reshape(spec.shape)
        kind = np.uint32 if spec.dtype is DType.u32 else np.int32
        return np.array(host.to_numpy(), kind).reshape(spec.shape)


CARDS: list[TtnnDevice] = []
"""The card that sessions of this process have open, if any: a second device on the same card would allocate its
tensors where those of the first are."""

SHARING = RLock()


def join_card(target: Target | None, trace_region: int) -> TtnnDevice:
    """Open the card in this machine for one more session, or share the card that is open; InputError as `open_card`."""
    with SHARING:
        if CARDS and target is not None:
            require_like(CARDS[0].measured(), target)
        if not CARDS:
            CARDS.append(open_card(target, trace_region))
        CARDS[0].users += 1
        return CARDS[0]


def open_card(target: Target | None, trace_region: int = 0) -> TtnnDevice:
    """Open the card in this machine; InputError if the card is not like the one that programs of `target` are for."""
    with refusals():
        device = TtnnDevice(trace_region)
    try:
        if target is not None:
            require_like(device.measured(), target)
    except BaseException:
        device.close()
        raise
    return device


def theirs(attribute: Any) -> Any:
    """Return one of our attributes as TTNN's own object."""
    return bound_call.theirs(attribute, ttnn)


def _captured(mode: Any, call: BoundCall, operands: Sequence[Any]) -> tuple[tuple[ttnn.Tensor, ...], list[dict]]:
    graph_capture.begin_graph_capture(mode)
    try:
        results = call(operands)
    finally:
        notes = graph_capture.end_graph_capture()
    return results, notes


def _form(spec: Spec) -> dict[str, Any]:
    return {"data_type": theirs(spec.dtype), "layout": theirs(spec.layout)}


def _uploadable(array: np.ndarray, spec: Spec) -> np.ndarray:
    """Return the array in a form that TTNN takes; InputError for numbers that TTNN would misread."""
    if spec.dtype.is_float and array.dtype == np.uint16:
        array = bf16_to_float32(array)
    if array.dtype.kind not in ("f" if spec.dtype.is_float else "iu"):
        raise InputError(f"{array.dtype} numbers cannot become a tensor of {spec.dtype}")
    return np.asarray(array.reshape(spec.shape), NUMPY_INTEGERS.get(spec.dtype, np.float32), order="C")


def spec_of_tensor(tensor: ttnn.Tensor) -> tuple[Spec, tuple[int, ...]]:
    """Return the spec of a tensor as TTNN made the tensor, and its padded shape.

    The shard is None where no `ShardSpec` can say it: cores that are no rows from the first core on.
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
    rest = shard.grid.num_cores() % columns
    rows -= rest > 0
    if shard.grid.num_cores() != columns * rows + rest or (rest and not _holds(shard.grid, columns, rows, rest)):
        return MemoryConfig(buffer, sharding)
    column_major = shard.orientation == ttnn.ShardOrientation.COL_MAJOR
    return MemoryConfig(buffer, sharding, ShardSpec((columns, rows), tuple(shard.shape), column_major, rest))


def _holds(cores: ttnn.CoreRangeSet, columns: int, rows: int, rest: int) -> bool:
    """Return whether one or more whole rows of cores, and the first `rest` of the row below, are among cores."""
    corners = (((0, 0), (columns - 1, rows - 1)), ((0, rows), (rest - 1, rows)))
    return rows > 0 and all(
        cores.contains(ttnn.CoreRange(ttnn.CoreCoord(*first), ttnn.CoreCoord(*last))) for first, last in corners
    )
