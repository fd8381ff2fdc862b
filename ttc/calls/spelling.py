"""TTNN's spelling of calls: one translation, read as text (emitted Python) or as objects (a device).

`spelled` turns an attribute into `Name`s, `Made` objects, lists and plain numbers; `text` prints these and `build`
makes them from a module such as `ttnn`, which this file does not import.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from typing import Any

from ttc.calls.call import Call, ComputeKernelConfig, UnaryWithParam
from ttc.calls.convolution import CoreRectangle
from ttc.calls.slicing import SliceType
from ttc.ir import DRAM, L1, Buffer, DType, Layout, MemoryConfig, Sharding, ShardSpec, Spelled, Step, Value

DTYPES = {
    DType.f32: "float32",
    DType.bf16: "bfloat16",
    DType.bfp8: "bfloat8_b",
    DType.bfp4: "bfloat4_b",
    DType.i32: "int32",
    DType.u32: "uint32",
    DType.u16: "uint16",
    DType.u8: "uint8",
}
"""TTNN's name of each element type that its tensors may have."""

LAYOUTS = {Layout.TILE: "TILE_LAYOUT", Layout.ROW_MAJOR: "ROW_MAJOR_LAYOUT"}

MEMORY_CONFIGS = {DRAM: "DRAM_MEMORY_CONFIG", L1: "L1_MEMORY_CONFIG"}
"""TTNN's names of the interleaved memory configurations; other configurations are made."""

BUFFERS = {Buffer.DRAM: "BufferType.DRAM", Buffer.L1: "BufferType.L1"}


@dataclass(frozen=True)
class Name:
    """Dotted name of an object of TTNN, such as `MathFidelity.HiFi4`."""

    path: str


@dataclass(frozen=True)
class Expression:
    """Python source that stands for a number; for text alone."""

    source: str


@dataclass(frozen=True)
class Made:
    """An object that TTNN makes from positional and keyword arguments, themselves spelled."""

    path: str
    positional: tuple[Any, ...] = ()
    keywords: tuple[tuple[str, Any], ...] = ()


def spelled(attribute: Any) -> Any:
    """Translate an attribute of a call into TTNN's spelling; values must have been replaced before."""
    match attribute:
        case None | bool() | int() | float() | str():
            return attribute
        case tuple():
            return [spelled(part) for part in attribute]
        case Step() | Spelled():
            return Expression(str(attribute))
        case DType():
            return Name(DTYPES[attribute])
        case Layout():
            return Name(LAYOUTS[attribute])
        case Sharding():
            return Name(f"TensorMemoryLayout.{attribute.name}")
        case SliceType():
            return Name(f"Op2DSliceConfig.SliceTypeEnum.{attribute.name}")
        case Enum():
            return Name(f"{type(attribute).__name__}.{attribute.name}")
        case MemoryConfig():
            return _memory_config(attribute)
        case CoreRectangle(columns, rows):
            return _cores(columns, rows)
        case ComputeKernelConfig():
            # One class serves every architecture, its name notwithstanding; TTNN's own defaults differ: state all.
            return Made("WormholeComputeKernelConfig", keywords=_keywords(attribute, all_fields=True))
        case UnaryWithParam():
            parameter = () if attribute.param is None else (attribute.param,)
            return Made("UnaryWithParam", (Name(f"UnaryOpType.{attribute.op_type}"), *parameter))
        case _ if is_dataclass(attribute) and not isinstance(attribute, Value):
            return Made(type(attribute).__name__, keywords=_keywords(attribute))
    raise TypeError(f"{attribute!r} has no TTNN spelling")


def arguments(call: Call) -> tuple[list[Any], dict[str, Any]]:
    """Return a call's positional and keyword arguments as its fields hold them; keywords at their default left out."""
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    for field in fields(call):  # type: ignore[arg-type]
        item = getattr(call, field.name)
        if not field.kw_only:
            positional.append(item)
        elif not _is_default(field, item):
            keywords[field.name] = item
    return positional, keywords


def text(item: Any, module: str = "ttnn") -> str:
    """Print the result of `spelled` as Python source."""
    match item:
        case Name(path):
            return f"{module}.{path}"
        case Expression(source):
            return source
        case Made(path, positional, keywords):
            parts = [text(part, module) for part in positional]
            parts += [f"{name}={text(part, module)}" for name, part in keywords]
            return f"{module}.{path}({', '.join(parts)})"
        case list():
            return f"[{', '.join(text(part, module) for part in item)}]"
        case float() if item != item or item in (float("inf"), float("-inf")):
            return f'float("{item}")'
        case str():
            return quoted(item)
    return repr(item)


def quoted(text: str) -> str:
    """Print any string as Python source: one literal in ASCII."""
    plain = text.isascii() and text.isprintable() and not set(text) & {'"', "\\"}
    return f'"{text}"' if plain else ascii(text)


def build(item: Any, module: Any) -> Any:
    """Make the result of `spelled` of objects of `module`."""
    match item:
        case Name(path):
            return resolve(path, module)
        case Made(path, positional, keywords):
            made = resolve(path, module)
            return made(*(build(part, module) for part in positional), **{k: build(v, module) for k, v in keywords})
        case list():
            return [build(part, module) for part in item]
    return item


def resolve(path: str, module: Any) -> Any:
    """Return the object with a dotted name, such as `transformer.split_heads`, in `module`."""
    for name in path.split("."):
        module = getattr(module, name)
    return module


def _memory_config(memory: MemoryConfig) -> Any:
    if memory in MEMORY_CONFIGS:
        return Name(MEMORY_CONFIGS[memory])
    sharding = Name(f"TensorMemoryLayout.{memory.sharding.name}")
    buffer = Name(BUFFERS[memory.buffer])
    if memory.sharding is Sharding.INTERLEAVED or memory.shard is None:
        return Made("MemoryConfig", (sharding, buffer))
    return Made("MemoryConfig", (sharding, buffer, _shard_spec(memory.shard)))


def _shard_spec(shard: ShardSpec) -> Made:
    order = Name(f"ShardOrientation.{'COL_MAJOR' if shard.column_major else 'ROW_MAJOR'}")
    return Made("ShardSpec", (_cores(*shard.grid, shard.rest), list(shard.shape), order))


def _cores(columns: int, rows: int, rest: int = 0) -> Made:
    corners = [((0, 0), (columns - 1, rows - 1)), *([((0, rows), (rest - 1, rows))] if rest else [])]
    ranges = [Made("CoreRange", (_core(first), _core(last))) for first, last in corners]
    return Made("CoreRangeSet", (ranges,))


def _core(place: tuple[int, int]) -> Made:
    return Made("CoreCoord", place)


def _keywords(attribute: Any, all_fields: bool = False) -> tuple[tuple[str, Any], ...]:
    """Return the spelled fields of a configuration, without those at TTNN's default unless `all_fields`."""
    named = [(field, getattr(attribute, field.name)) for field in fields(attribute)]
    return tuple((field.name, spelled(item)) for field, item in named if all_fields or not _is_default(field, item))


def _is_default(field: Any, item: Any) -> bool:
    if isinstance(item, ComputeKernelConfig):
        return False  # the default is ttc's, not TTNN's
    # `==` alone would leave out False for a default of 0, or -0.0 for 0.0.
    return field.default is not MISSING and type(item) is type(field.default) and repr(item) == repr(field.default)
