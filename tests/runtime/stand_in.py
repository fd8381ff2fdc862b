"""A stand-in of `ttnn` that computes with numpy and records what is asked of it, traces included.

Memory is one row of bytes, given out first fit, and a tensor is an address. A capture notes what calls do to addresses
and does nothing; a replay does it, to whatever lies there by then, as on a card: a buffer that is allocated after a
capture, where the trace has its intermediate results, is written over.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

CALLS = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "relu": lambda a: np.maximum(a, 0),
    "linear": lambda a, b: a @ b,
    "matmul": lambda a, b: a @ b,
    "to_layout": lambda a: a,
    "clone": lambda a: a,
    "to_memory_config": lambda a: a,
    "typecast": lambda a: a,
}


class Named:
    """Any attribute of TTNN's that only has to be handed on: equal by name."""

    def __init__(self, name: str):
        self.name = name

    def __getattr__(self, name: str) -> Named:
        if name.startswith("__"):
            raise AttributeError(name)
        return Named(f"{self.name}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Named:
        return Named(f"{self.name}(...)")

    def is_sharded(self) -> bool:
        """Return whether a memory config's name says so: the memories of these tests are interleaved."""
        return "SHARDED" in self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class Tensor:
    """An address on the card, or numbers on the host."""

    def __init__(self, card: StandIn, shape: tuple[int, ...], address: int | None, array: np.ndarray | None = None):
        self.card, self.shape, self.address, self.array = card, tuple(shape), address, array
        self.dtype = Named("float32")

    @property
    def size(self) -> int:
        return max(int(np.prod(self.shape)), 1)

    def cpu(self) -> Tensor:
        self.card.note("read", self.address)
        return Tensor(self.card, self.shape, None, self.card.numbers(self))

    def to_numpy(self) -> np.ndarray:
        assert self.array is not None
        return self.array

    def __del__(self) -> None:
        self.card.free(self)


class StandIn(ModuleType):
    """The module. `log` holds what happened: a word and an address or number, in order."""

    def __init__(self, memory: int = 4096) -> None:
        super().__init__("ttnn")
        self.__spec__ = ModuleSpec("ttnn", None)
        self.log: list[tuple[str, Any]] = []
        self._memory = np.full(memory, np.nan)
        self._taken: dict[int, int] = {}  # address -> size
        self._capture: list[Callable[[], None]] | None = None
        self._traces: dict[int, list[Callable[[], None]]] = {}
        self._events = 0
        self.opened: dict[str, Any] = {}
        self.region_too_small = False
        self.device = SimpleNamespace(name="card")
        self._ttnn = SimpleNamespace(graph=Named("graph"))
        for name, function in CALLS.items():
            setattr(self, name, self._call(name, function))
        self.experimental = SimpleNamespace(paged_update_cache=self._paged_update_cache)

    def __getattr__(self, name: str) -> Named:
        if name.startswith("__"):
            raise AttributeError(name)
        return Named(name)

    def note(self, word: str, what: Any = None) -> None:
        self.log.append((word, what))

    def words(self, *wanted: str) -> list[str]:
        return [word for word, _ in self.log if word in wanted]

    # ------------------------------------------------------------ memory

    def allocate(self, shape: tuple[int, ...]) -> Tensor:
        tensor, address = Tensor(self, shape, None), 0
        for taken in sorted(self._taken):
            if taken - address >= tensor.size:
                break
            address = taken + self._taken[taken]
        assert address + tensor.size <= len(self._memory), "out of memory"
        self._taken[address] = tensor.size
        tensor.address = address
        self.note("allocate", address)
        return tensor

    def free(self, tensor: Tensor) -> None:
        if tensor.address is not None and self._taken.pop(tensor.address, None) is not None:
            self.note("free", tensor.address)
            tensor.address = None

    @property
    def held(self) -> int:
        """Buffers that are allocated now."""
        return len(self._taken)

    def numbers(self, tensor: Tensor) -> np.ndarray:
        if tensor.address is None:
            assert tensor.array is not None, "a tensor is read after it was freed"
            return tensor.array
        return self._memory[tensor.address : tensor.address + tensor.size].reshape(tensor.shape).astype(np.float32)

    def _do(self, act: Callable[[], None]) -> None:
        if self._capture is None:
            act()
        else:
            self._capture.append(act)

    def _put(self, address: int | None, array: np.ndarray) -> None:
        assert address is not None
        self._memory[address : address + max(array.size, 1)] = array.reshape(-1)

    # ------------------------------------------------------------ calls

    def _call(self, name: str, function: Callable[..., np.ndarray]) -> Callable[..., Tensor]:
        def call(*given: Any, **keywords: Any) -> Tensor:
            operands = [self._view(item) if isinstance(item, Tensor) else (lambda item=item: item) for item in given]
            operands = operands[: function.__code__.co_argcount]
            shape = function(*(np.zeros_like(operand()) for operand in operands)).shape
            bias = self._view(keywords["bias"]) if "bias" in keywords else lambda: np.float32(0)
            into = keywords.get("output_tensor") or self.allocate(shape)
            self.note("call", name)
            address = into.address
            self._do(lambda: self._put(address, function(*(operand() for operand in operands)) + bias()))
            return into

        return call

    def _paged_update_cache(self, cache: Tensor, rows: Tensor, *, update_idxs_tensor: Tensor) -> Tensor:
        self.note("call", "paged_update_cache")
        old, new, places, address = (*map(self._view, (cache, rows, update_idxs_tensor)), cache.address)

        def act() -> None:
            numbers = old()
            for entry, place in enumerate(places().astype(int)):
                numbers[entry, :, place] = new()[0, entry]
            self._put(address, numbers)

        self._do(act)
        return cache

    def _view(self, tensor: Tensor) -> Callable[[], np.ndarray]:
        """A function to the numbers where the tensor lies now."""
        place = SimpleNamespace(address=tensor.address, size=tensor.size, shape=tensor.shape, array=tensor.array)
        return lambda: self.numbers(place)  # type: ignore[arg-type]

    def Tensor(self, array: np.ndarray, *, device: Any = None, mem_config: Any = None, **form: Any) -> Tensor:
        if device is None:
            return Tensor(self, array.shape, None, np.array(array, np.float32))
        self.note("upload")
        tensor = self.allocate(array.shape)
        self._put(tensor.address, array)
        return tensor

    def empty(self, shape: tuple[int, ...], *form: Any) -> Tensor:
        self.note("empty")
        return self.allocate(tuple(shape))

    def to_dtype(self, tensor: Tensor, dtype: Any) -> Tensor:
        return tensor

    def deallocate(self, tensor: Tensor) -> None:
        self.free(tensor)

    def copy(self, source: Tensor, to: Tensor) -> None:
        self.note("copy", (source.address, to.address))
        given, address = self._view(source), to.address
        self._do(lambda: self._put(address, given()))

    def copy_host_to_device_tensor(self, source: Tensor, to: Tensor, cq_id: int) -> None:
        assert self._capture is None, "a host tensor is written during a capture"
        self.note(f"write by {cq_id}", to.address)
        self._put(to.address, self.numbers(source))

    # ------------------------------------------------------------ device, events, traces

    def open_device(self, **keywords: Any) -> Any:
        self.opened = keywords
        self.note("open")
        return self.device

    def close_device(self, device: Any) -> None:
        self.note("close")

    def synchronize_device(self, device: Any) -> None:
        self.note("synchronize")

    def record_event(self, device: Any, queue: int) -> int:
        self._events += 1
        self.note(f"event of {queue}", self._events)
        return self._events

    def wait_for_event(self, queue: int, event: int) -> None:
        self.note(f"wait by {queue}", event)

    def begin_trace_capture(self, device: Any, cq_id: int) -> int:
        self.note("begin")
        self._capture = []
        return len(self.log)

    def end_trace_capture(self, device: Any, trace: int, cq_id: int) -> None:
        assert self._capture is not None
        self.note("end", trace)
        self._traces[trace], self._capture = self._capture, None
        if self.region_too_small:
            raise RuntimeError("Creating trace buffers of size 99B on MeshDevice 0, but only 9B is allocated for it.")

    def execute_trace(self, device: Any, trace: int, cq_id: int, blocking: bool) -> None:
        self.note("execute", trace)
        for act in self._traces[trace]:
            act()

    def release_trace(self, device: Any, trace: int) -> None:
        self.note("release", trace)
        del self._traces[trace]


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """Let `import ttnn` find a stand-in, and the device's module be made anew with it."""
    ours = "ttc.runtime.run.device_ttnn"
    kept = {name: sys.modules.pop(name, None) for name in ("ttnn", ours)}
    sys.modules["ttnn"] = found = StandIn()
    try:
        yield found
    finally:
        for name, module in kept.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module
