"""Forms of calls on shards: the memories of operands and result that go together, and the configs that say so.

Each rule was put to the real library on mock cards: the forms yielded here run without a conversion inside the call
but where an operand or the result is interleaved, and return the memory that is stated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from ttc.backend.plan.sharding.layouts import Grids, most_cores
from ttc.calls.binary import BinaryCall
from ttc.calls.call import FUSED, Call, spec_of
from ttc.calls.conv import Conv2d
from ttc.calls.convolution import CoreRectangle
from ttc.calls.matmul import Linear
from ttc.calls.norm import LayerNorm, RmsNorm, shards_config
from ttc.calls.pool import AvgPool2d, MaxPool2d, Pool2d
from ttc.calls.program_config import BLOCK, by_banks, by_blocks, by_columns, by_rows, divisor
from ttc.calls.shards import Grid, bank_shards, in_banks, in_order, matrix_tiles
from ttc.calls.sizes import tile_bytes
from ttc.calls.slicing import WHOLE
from ttc.calls.target import Target
from ttc.calls.ternary import Addcmul, SnakeBeta, Where
from ttc.calls.unary import UnaryCall
from ttc.ir import DRAM, TILE, DType, Graph, Layout, MemoryConfig, Sharding, Value

FEW = 4
"""Most tiles of rows that a core of a convolution computes at a time where the rest of its L1 holds shards."""


@dataclass(frozen=True)
class Form:
    """One form of a call: the memory of each of its `tensors`, of the result, and the fields that state the form.

    None stands for interleaved memory, in DRAM or L1 as the planner of those decides. The result may lie in the place
    of the operand `into`, which then must have no other reader to come. `banks` says that the weights of a product, and
    its bias, lie over the banks of DRAM.
    """

    operands: tuple[MemoryConfig | None, ...]
    result: MemoryConfig | None
    fields: dict[str, Any] = field(default_factory=dict)
    into: int | None = None
    banks: bool = False


def tensors(call: Call) -> tuple[Value, ...]:
    """Return the operands of a call that may lie in shards; none of calls that have no form on shards."""
    match call:
        case Conv2d() if call.slices == WHOLE and not call.conv_config.folded and call.groups == 1:
            return (call.input_tensor,)
        case Pool2d(dram_slice_config=slices, output_layout=Layout.TILE) if slices == WHOLE:
            return (call.input_tensor,)
        case Linear(transpose_a=False, transpose_b=False):
            return (call.input_tensor_a,) if call.input_tensor_b.type.rank == 2 else ()
        case BinaryCall(output_tensor=None) if len(call.tensors) == 2:
            return _whole(call.tensors, call)
        case Where() | Addcmul() | SnakeBeta():
            return _whole(tuple(value for value in call.operands() if value.dtype.is_float), call)
        case UnaryCall() if _tiled((call.input_tensor,)):
            return (call.input_tensor,)
        case LayerNorm() | RmsNorm() if call.input_tensor.type.rank > 1 and call.input_tensor.shape[-1] % TILE == 0:
            residual = call.residual_input_tensor
            return (call.input_tensor,) if residual is None else (call.input_tensor, residual)
    return ()


def _whole(values: tuple[Value, ...], call: Call) -> tuple[Value, ...]:
    """Return the operands of the result's shape: rows and columns that broadcast to that stay interleaved."""
    result: Any = call.infer()
    whole = tuple(value for value in values if value.shape == result.shape)
    alike = all(value.type.rank == len(result.shape) for value in values)
    return whole if alike and _tiled(values) else ()


def _tiled(values: tuple[Value, ...]) -> bool:
    return all(spec_of(value).layout is Layout.TILE and value.type.rank > 1 for value in values)


def forms(call: Call, grids: Grids, target: Target) -> Iterator[Form]:
    """Yield the forms of a call on shards; those in which all is interleaved are left out."""
    match call:
        case Conv2d():
            yield from _height_convolution(call, grids)
            yield from _row_convolution(call, grids, target)
            yield from _block_convolution(call, grids, target)
        case MaxPool2d():
            yield from _pool(call, grids.in_height(spec_of(call.input_tensor)), grids.in_height(call.infer()))
        case AvgPool2d():
            yield from _average(call, grids)
        case Linear():
            yield from _height_product(call, grids)
            yield from _block_product(call, grids)
            yield from _width_product(call, grids, target)
            yield from _bank_product(call, grids, target)
        case BinaryCall() | UnaryCall() | Where() | Addcmul() | SnakeBeta():
            count = len(tensors(call))
            for memory in grids.all(spec_of(tensors(call)[0])):
                for sides in product((memory, None), repeat=count + 1):
                    if any(sides):
                        yield Form(sides[:-1], sides[-1])
                for into in range(count) if isinstance(call, BinaryCall) and _keeps_dtype(call) else ():
                    yield Form((memory,) * count, memory, into=into)
        case LayerNorm() | RmsNorm():
            x = spec_of(call.input_tensor)
            for memory in (*grids.in_blocks(x).values(), *grids.in_width(x).values()):
                yield Form((memory,) * len(tensors(call)), memory, {"program_config": shards_config(memory)})


def _keeps_dtype(call: BinaryCall) -> bool:
    return {spec_of(value).dtype for value in call.tensors} == {call.infer().dtype}


def _sides(x: MemoryConfig, y: MemoryConfig) -> Iterator[tuple[MemoryConfig | None, MemoryConfig | None]]:
    """Yield memories of operand and result of a call that converts, or reads and writes, interleaved tensors too."""
    yield x, y
    yield None, y
    yield x, None


def _height_convolution(call: Conv2d, grids: Grids) -> Iterator[Form]:
    results = grids.in_height(call.infer())
    for grid, x in grids.in_height(spec_of(call.input_tensor)).items():
        for block in _blocks(results[grid]) if grid in results else ():
            fields = _convolution(call, Sharding.HEIGHT_SHARDED, grid, block)
            if call.in_channels % TILE == 0:
                for before, after in _sides(x, results[grid]):
                    yield Form((before,), after, fields)
            else:  # TTNN pads the channels on the way to shards
                yield Form((None,), results[grid], fields)


def _row_convolution(call: Conv2d, grids: Grids, target: Target) -> Iterator[Form]:
    """Yield the forms on rows of cores, where these are TTNN's own choice for operand and result: no grid is stated."""
    if call.conv_config.shard_layout is not Sharding.HEIGHT_SHARDED or call.conv_config.core_grid is not None:
        return
    operand, result = spec_of(call.input_tensor), call.infer()
    own = {most_cores(matrix_tiles(spec)[0], target) for spec in (operand, result)}
    results = grids.in_rows(result)
    for cores, x in grids.in_rows(operand).items():
        (columns, rows), rest = cores
        if own != {columns * rows + rest}:
            continue
        for block in _blocks(results[cores]) if cores in results else ():
            config = replace(call.conv_config, reallocate_halo_output=False, act_block_h_override=block)
            sides = _sides(x, results[cores]) if call.in_channels % TILE == 0 else [(None, results[cores])]
            for before, after in sides:
                yield Form((before,), after, {"conv_config": config})


def _blocks(result: MemoryConfig) -> list[int]:
    """List the rows that a core computes at a time: 0 for all of its shard, and few, which need less L1."""
    assert result.shard is not None
    high = result.shard.shape[0] // TILE
    few = divisor(high, FEW)
    return [0] if high <= FEW else [0, few * TILE]


def _block_convolution(call: Conv2d, grids: Grids, target: Target) -> Iterator[Form]:
    """Yield block forms: TTNN spreads the result's channels over the card's columns, and here shares them out evenly.

    For an interleaved operand TTNN prepares the weights for all columns of the card, whatever the grid is.
    """
    if call.in_channels % TILE or call.out_channels % TILE:
        return
    results = grids.in_blocks(call.infer())
    inner, outer = matrix_tiles(spec_of(call.input_tensor))[1], matrix_tiles(call.infer())[1]
    whole = inner % target.grid[0] == outer % target.grid[0] == 0
    columns = -(-outer // -(-outer // target.grid[0]))
    for (width, height), x in grids.in_blocks(spec_of(call.input_tensor)).items():
        y = results.get((columns, height))
        if y and outer % width == 0:
            for before, after in _sides(x, y) if whole else [(x, y), (x, None)]:
                yield Form((before,), after, _convolution(call, Sharding.BLOCK_SHARDED, (width, height)))


def _convolution(call: Conv2d, layout: Sharding, grid: tuple[int, int], block: int = 0) -> dict[str, Any]:
    config = replace(
        call.conv_config,
        act_block_h_override=block,
        shard_layout=layout,
        override_sharding_config=True,
        core_grid=CoreRectangle(*grid),
        reallocate_halo_output=False,
    )
    return {"conv_config": config}


def _pool(call: Pool2d, operands: dict[Grid, MemoryConfig], results: dict[Grid, MemoryConfig]) -> Iterator[Form]:
    for grid, x in operands.items():
        if grid in results and call.channels % TILE == 0:
            yield Form((x,), results[grid], {"applied_shard_scheme": None, "reallocate_halo_output": False})


def _average(call: AvgPool2d, grids: Grids) -> Iterator[Form]:
    for form in _pool(call, grids.in_width(spec_of(call.input_tensor)), grids.in_width(call.infer())):
        yield form
        yield replace(form, result=None)


def averaged(graph: Graph) -> set[tuple[int, int]]:
    """Return the (rows, columns) in tiles of images in bfp8 and of their means, which may lie in width shards."""
    calls = [node.op for node in graph.nodes if isinstance(node.op, AvgPool2d)]
    narrow = [call for call in calls if call.input_tensor.dtype is DType.bfp8]
    return {matrix_tiles(spec) for call in narrow for spec in (spec_of(call.input_tensor), call.infer())}


def _height_product(call: Linear, grids: Grids) -> Iterator[Form]:
    results = grids.in_height(call.infer())
    (rows, inner), columns = matrix_tiles(spec_of(call.input_tensor_a)), matrix_tiles(call.infer())[1]
    for grid, x in grids.in_height(spec_of(call.input_tensor_a)).items():
        every = (by_rows(grid, rows, inner, columns, _activation(call), most) for most in (BLOCK, 2 * BLOCK))
        configs = dict.fromkeys(every)
        for config, (before, after) in product(configs, _sides(x, results[grid]) if grid in results else ()):
            yield Form((before,), after, _product(config))


def _block_product(call: Linear, grids: Grids) -> Iterator[Form]:
    """Yield block forms: the result lies on the columns of cores that hold the operand, or on fewer."""
    results = grids.in_blocks(call.infer())
    (rows, inner), columns = matrix_tiles(spec_of(call.input_tensor_a)), matrix_tiles(call.infer())[1]
    for (width, height), x in grids.in_blocks(spec_of(call.input_tensor_a)).items():
        for (result_width, result_height), y in results.items():
            if result_height == height and result_width <= width:
                config = by_blocks((result_width, height), rows, inner // width, columns, _activation(call))
                config = replace(config, compute_with_storage_grid_size=(width, height))
                yield Form((x,), y, _product(config))
                if result_width == width:
                    yield Form((x,), None, _product(config))
    for grid, y in results.items():
        yield Form((None,), y, _product(by_blocks(grid, rows, inner, columns, _activation(call))))


def _width_product(call: Linear, grids: Grids, target: Target) -> Iterator[Form]:
    """Yield forms of few rows of tiles: a core reads its columns of interleaved weights, and gets the operand.

    An interleaved result may be uneven, and so lie on more cores: on all rows of the operand's columns of cores.
    """
    x, result = spec_of(call.input_tensor_a), call.infer()
    (rows, inner), columns = matrix_tiles(x), matrix_tiles(result)[1]

    def config(grid: Grid, held: int, share: int) -> dict[str, Any]:
        return _product(by_columns(grid, held, share, _activation(call), rows))

    made = {grid: (y, columns // (grid[0] * grid[1])) for grid, y in grids.in_width(result).items()}
    for grid, (y, share) in made.items():
        yield Form((None,), y, config(grid, inner, share))
    for own, memory in grids.in_width(x).items():
        held = inner // (own[0] * own[1])
        for grid, (y, share) in made.items():
            cores = max(own, grid, key=lambda cores: cores[0] * cores[1])
            yield Form((memory,), y, config(cores, held, share))
        most = own[0], target.grid[1]
        yield Form((memory,), None, config(most, held, -(-columns // (most[0] * most[1]))))


def _bank_product(call: Linear, grids: Grids, target: Target) -> Iterator[Form]:
    """Yield forms of one row of tiles: each bank of DRAM holds columns of the weights, which a core beside it reads.

    The cores of operand and result are the first of the card, row by row.
    """
    x, weight, result = spec_of(call.input_tensor_a), spec_of(call.input_tensor_b), call.infer()
    if matrix_tiles(x)[0] > 1:
        return
    columns = -(-matrix_tiles(weight)[1] // target.dram_banks)
    strip = 3 * columns * tile_bytes(weight.dtype)
    first = [grid for grid in grids.width if grid == in_order(grid[0] * grid[1], target.grid[0])]
    for memory in (memory for grid, memory in grids.in_width(x).items() if grid in first):
        for y in (memory for grid, memory in grids.in_width(result).items() if grid in first):
            assert memory.shard is not None
            assert y.shard is not None
            held, made = (shard.shape[1] // TILE for shard in (memory.shard, y.shard))
            yield Form((memory,), y, _product(by_banks(held, made, strip, _activation(call))), banks=True)


def over_banks(call: Any, target: Target) -> dict[str, MemoryConfig]:
    """Return the memories of a product's weights and bias over the banks of DRAM, by field."""
    sides = {name: getattr(call, name) for name in ("input_tensor_b", "bias")}
    return {name: bank_shards(spec_of(value), target.dram_banks) for name, value in sides.items() if value is not None}


def reads_banks(call: Call) -> bool:
    """Return whether the weights of a product lie over the banks of DRAM already."""
    return isinstance(call, Linear) and in_banks(spec_of(call.input_tensor_b))


def _activation(call: Linear) -> Any:
    return FUSED[call.fused] if call.fused else None


def _product(config: Any) -> dict[str, Any]:
    return {"program_config": config, "core_grid": None, "activation": None}


def stated(call: Any, form: Form, moved: tuple[Value, ...], interleaved: MemoryConfig = DRAM) -> Any:
    """Return the call in a form, its tensors replaced by those `moved` into the form's memories.

    A result that lies in no shards goes to the memory `interleaved`.
    """
    new = dict(zip(tensors(call), moved, strict=True))
    memory = form.result or interleaved
    changed = call.with_operands(lambda value: new.get(value, value))
    into = {} if form.into is None else {"output_tensor": moved[form.into]}
    return replace(changed, **form.fields, **into, memory_config=memory)
