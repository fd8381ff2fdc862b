"""Recipes of ops that move elements, pick them, or make them."""

from __future__ import annotations

from math import prod

from tests.differential.draw import Draw, Skip
from tests.differential.torch_recipes import recipe, templates


def split_size(d: Draw, size: int) -> tuple[int, ...]:
    """Two or three factors of a size."""
    divisors = [n for n in range(1, size + 1) if size % n == 0]
    first = d.pick(*divisors)
    return (first, size // first)


@recipe("reshape", "view")
def reshape(d: Draw) -> str:
    x = d.x()
    sizes = list(x.shape)
    match d.integer(0, 4):
        case 0 if x.rank:
            at = d.integer(0, x.rank - 1)
            sizes[at : at + 1] = split_size(d, sizes[at])
        case 1 if x.rank > 1:
            at = d.integer(0, x.rank - 2)
            sizes[at : at + 2] = [sizes[at] * sizes[at + 1]]
        case 2:
            sizes = [-1]
        case 3:
            sizes.insert(d.integer(0, x.rank), 1)
        case _:
            sizes = list(split_size(d, prod(sizes)))
    if -1 not in sizes and sizes and d.chance(0.5):
        sizes[d.integer(0, len(sizes) - 1)] = -1
    return f"{x}.reshape({sizes})"


templates(
    "dims",
    lambda d: f"{(x := d.x())}.unsqueeze({d.integer(-x.rank - 1, x.rank)})",
    lambda d: f"{d.x()}.squeeze()",
    lambda d: f"{(x := d.x('any', (1, 6)))}.squeeze({d.axis(x)})",
    lambda d: f"{(x := d.x('any', (1, 6)))}.squeeze({tuple(d.axes(x))})",
    lambda d: f"{(x := d.x('any', (1, 6)))}.transpose({d.axis(x)}, {d.axis(x)})",
    lambda d: f"{(x := d.x('any', (1, 6)))}.swapaxes({d.axis(x)}, {d.axis(x)})",
    lambda d: f"torch.movedim({(x := d.x('any', (1, 6)))}, {d.axis(x)}, {d.axis(x)})",
    lambda d: f"{(x := d.x('any', (1, 6)))}.permute({d.random.sample(range(x.rank), x.rank)})",
    lambda d: f"{d.x('any', (2, 6))}.mT",
    lambda d: f"{d.x('any', 2)}.t()",
    lambda d: f"{(x := d.x('any', (1, 6)))}.flatten({d.integer(0, x.rank - 1)})",
    lambda d: f"{(x := d.x('any', (2, 6)))}.flatten({(a := d.integer(0, x.rank - 1))}, {d.integer(a, x.rank - 1)})",
    lambda d: f"{(x := d.x('any', (1, 5)))}.unflatten({(a := d.axis(x))}, {split_size(d, x.shape[a])})",
)


@recipe("expand", "broadcast_to")
def expand(d: Draw) -> str:
    x = d.x("any", (0, 4))
    sizes = [d.pick(2, 3) if size == 1 and d.chance(0.7) else d.pick(size, -1) for size in x.shape]
    if d.chance(0.4):
        sizes.insert(0, d.pick(1, 2, 5))
    return f"{x}.expand({sizes})" if sizes else f"{x}.expand([2, 3])"


@recipe("repeat", "tile")
def repeat(d: Draw) -> str:
    x = d.x("any", (0, 4))
    counts = [d.pick(1, 1, 2, 3) for _ in range(x.rank + d.pick(0, 0, 1))] or [2]
    return d.pick(
        f"{x}.repeat({counts})",
        f"torch.tile({x}, {counts})",
        f"torch.repeat_interleave({x}, {d.pick(1, 2, 3)}, {d.axis(x) if x.rank else 0})",
    )


@recipe("cat", "stack", "concat")
def join(d: Draw) -> str:
    x = d.x("any", (1, 5))
    same = [v for v in d.vars if v.shape == x.shape]
    parts = [x, *(d.pick(*same) for _ in range(d.integer(0, 2)))]
    if d.chance(0.4):
        axis = d.axis(x)
        sizes = list(x.shape)
        sizes[axis] = d.pick(1, 2, 3)
        return f"torch.cat([{', '.join(map(str, parts))}, {d.new(x.dtype, tuple(sizes))}], {axis})"
    name = d.pick("cat", "concat", "concatenate", "stack")
    return f"torch.{name}([{', '.join(map(str, parts))}], {d.axis(x)})"


@recipe("split", "chunk", "unbind")
def split(d: Draw) -> str:
    x = d.x("any", (1, 5))
    axis = d.axis(x)
    size = x.shape[axis]
    first = d.integer(0, size)
    return d.pick(
        f"torch.split({x}, {d.integer(1, size)}, {axis})[{d.pick(0, -1)}]",
        f"torch.split({x}, [{first}, {size - first}], {axis})[{d.pick(0, 1)}]",
        f"torch.chunk({x}, {d.integer(1, 4)}, {axis})[{d.pick(0, -1)}]",
        f"torch.unbind({x}, {axis})[{d.pick(0, -1)}]",
        f"torch.tensor_split({x}, {d.integer(1, 3)}, {axis})[0]",
    )


@recipe("slice")
def slice_(d: Draw) -> str:
    x = d.x("any", (1, 5))
    parts = []
    for size in x.shape:
        start, end, step = d.pick("", d.integer(-size, size)), d.pick("", d.integer(-size, size)), d.pick("", 1, 2, 3)
        parts.append(d.pick(":", ":", str(d.integer(-size, size - 1)), f"{start}:{end}:{step}"))
    if d.chance(0.3):
        parts.insert(d.integer(0, len(parts)), "None")
    if d.chance(0.2):
        parts = ["...", parts[-1]]
    return f"{x}[{', '.join(parts)}]"


@recipe("select", "narrow")
def select(d: Draw) -> str:
    x = d.x("any", (1, 5))
    axis = d.axis(x)
    size = x.shape[axis]
    start = d.integer(0, size - 1)
    return d.pick(
        f"{x}.select({axis}, {d.integer(-size, size - 1)})",
        f"{x}.narrow({axis}, {start}, {d.integer(1, size - start)})",
    )


@recipe("flip", "roll", "rot90")
def flip(d: Draw) -> str:
    x = d.x("any", (1, 5))
    axes = d.axes(x)
    return d.pick(
        f"torch.flip({x}, {axes})",
        f"torch.roll({x}, {[d.integer(-9, 9) for _ in axes]}, {axes})",
        f"torch.roll({x}, {d.integer(-9, 9)})",
    )


@recipe("pad")
def pad(d: Draw) -> str:
    x = d.x("any", (1, 5))
    count = d.integer(1, min(x.rank, 3))
    pads = [d.integer(0, 3) if d.chance(0.8) else -1 for _ in range(2 * count)]
    mode = d.pick("constant", "constant", "reflect", "replicate", "circular")
    if mode != "constant":
        return f"F.pad({x}, {[abs(size) for size in pads]}, {mode!r})"
    value = {"bool": "True", "int64": "3", "int32": "-2"}.get(x.dtype, d.pick("0.0", "1.5", "-1e4"))
    return f"F.pad({x}, {pads}, value={value})"


templates(
    "triangles and windows",
    lambda d: f"torch.{d.pick('tril', 'triu')}({d.x('any', (2, 5))}, {d.integer(-2, 2)})",
    lambda d: f"F.pixel_shuffle({d.x('float', (3, 4), lambda v: v.shape[-3] % 4 == 0)}, 2)",
    lambda d: f"F.pixel_unshuffle({d.x('float', (3, 4), lambda v: v.shape[-1] % 2 == v.shape[-2] % 2 == 0)}, 2)",
    lambda d: (
        f"{(x := d.x('any', (1, 4)))}.unfold({(a := d.axis(x))}, {d.integer(1, min(x.shape[a], 4))}, {d.pick(1, 2, 3)})"
    ),
    lambda d: f"torch.meshgrid({d.x('any', 1)}, {d.x('any', 1)}, indexing={d.pick('ij', 'xy')!r})[{d.pick(0, 1)}]",
    lambda d: f"torch.diff({(x := d.x('number', (1, 4)))}, dim={d.axis(x)})",
)


# ---------------------------------------------------------------- picking


def index_for(d: Draw, size: int, shape: tuple[int, ...]) -> str:
    """Indices below a size: a new input."""
    return str(d.new("int64", shape, str(size)))


@recipe("index_select", "embedding")
def index_select(d: Draw) -> str:
    x = d.x("any", (1, 4))
    axis = d.axis(x)
    index = index_for(d, x.shape[axis], (d.pick(1, 2, 5),))
    if x.rank == 2 and x.dtype in ("float32",) and d.chance(0.6):
        return f"F.embedding({index_for(d, x.shape[0], d.shape(d.integer(0, 3)))}, {x})"
    return f"torch.index_select({x}, {axis}, {index})"


@recipe("gather", "take_along_dim")
def gather(d: Draw) -> str:
    x = d.x("any", (1, 4))
    axis = d.axis(x)
    sizes = [d.integer(1, size) if d.chance(0.5) else size for size in x.shape]
    sizes[axis] = d.pick(1, 2, 4)
    return f"torch.gather({x}, {axis}, {index_for(d, x.shape[axis], tuple(sizes))})"


@recipe("index")
def index(d: Draw) -> str:
    x = d.x("any", (1, 4))
    shape = d.pick((), (1,), (3,), (2, 2))
    parts = [d.pick(":", "I", "I") for _ in x.shape]
    if "I" not in parts:
        parts[0] = "I"
    texts = [index_for(d, size, shape) if part == "I" else part for part, size in zip(parts, x.shape, strict=True)]
    return f"{x}[{', '.join(texts)}]"


@recipe("scatter", "scatter_add")
def scatter(d: Draw) -> str:
    x = d.x("number", (1, 4))
    axis = d.axis(x)
    sizes = [d.integer(1, size) for size in x.shape]
    index = index_for(d, x.shape[axis], tuple(sizes))
    source = d.given(x.dtype, tuple(sizes))
    return d.pick(
        f"torch.scatter_add({x}, {axis}, {index}, {source})",
        f"torch.scatter({x}, {axis}, {index}, {d.pick(2, -1)})",
    )


@recipe("index_add", "index_copy", "index_put")
def index_write(d: Draw) -> str:
    x = d.x("number", (1, 4))
    axis = d.axis(x)
    sizes = list(x.shape)
    count = d.integer(1, x.shape[axis])
    places = d.random.sample(range(x.shape[axis]), count)
    sizes[axis] = count
    source = d.given(x.dtype, tuple(sizes))
    return d.pick(
        f"torch.index_add({x}, {axis}, {index_for(d, x.shape[axis], (count,))}, {source}, alpha={d.pick(1, 2)})",
        f"torch.index_copy({x}, {axis}, torch.tensor({places}), {source})",
        f"torch.index_put({x}, (torch.tensor({places}),), torch.tensor(2, dtype=torch.{x.dtype}))",
        f"torch.index_put({x}, ({index_for(d, x.shape[0], (3,))},), {d.given(x.dtype, (1,))}, accumulate=True)",
    )


@recipe("select_scatter", "slice_scatter")
def write(d: Draw) -> str:
    x = d.x("any", (1, 4))
    axis = d.axis(x)
    size, sizes = x.shape[axis], list(x.shape)
    at = d.integer(0, size - 1)
    if d.chance(0.5):
        del sizes[axis]
        return f"torch.select_scatter({x}, {d.given(x.dtype, tuple(sizes))}, {axis}, {at})"
    step = d.pick(1, 1, 2)
    sizes[axis] = len(range(at, size, step))
    return f"torch.slice_scatter({x}, {d.given(x.dtype, tuple(sizes))}, {axis}, {at}, None, {step})"


@recipe("assignment")
def assignment(d: Draw) -> str:
    """A copy written into, as many models do."""
    x = d.x("number", (1, 4))
    places = [d.pick(":", str(d.integer(-size, size - 1)), "1:", "::2") for size in x.shape]
    method = d.pick("mul_", "add_", "fill_", "clamp_min_")
    return f"written({x}, lambda t: t[{', '.join(places)}].{method}({d.pick(2, 3)}))"


@recipe("one_hot")
def one_hot(d: Draw) -> str:
    return f"F.one_hot({index_for(d, 5, d.shape(d.integer(0, 3)))}, {d.pick(5, 7)})"


# ---------------------------------------------------------------- making

templates(
    "creation",
    lambda d: f"torch.arange({d.integer(1, 9)})",
    lambda d: f"torch.arange({d.integer(-4, 3)}, {d.integer(4, 20)}, {d.pick(1, 2, 3)}, dtype=torch.{made(d)})",
    lambda d: f"torch.arange(0.5, {d.integer(3, 9)}, {d.pick(0.5, 0.75)})",
    lambda d: f"torch.arange({d.integer(4, 9)}, -3, -{d.integer(1, 2)})",
    lambda d: f"torch.linspace({d.integer(-3, 0)}, {d.integer(1, 5)}, {d.integer(1, 9)})",
    lambda d: f"torch.eye({d.integer(1, 5)}, {d.integer(1, 5)}, dtype=torch.{made(d)})",
    lambda d: f"torch.full({list(d.shape(d.integer(0, 3)))}, {d.pick(2, -3, 1)}, dtype=torch.{made(d)})",
    lambda d: f"torch.{d.pick('zeros', 'ones')}_like({d.x()})",
    lambda d: f"torch.full_like({d.x()}, {d.pick(2, 1)})",
    lambda d: f"{d.x()}.new_{d.pick('zeros', 'ones')}({list(d.shape(d.integer(0, 3)))})",
    lambda d: f"torch.scalar_tensor({d.pick(2, -3)}, dtype=torch.{made(d)})",
    lambda d: f"torch.tensor({[d.integer(-5, 5) for _ in range(d.integer(1, 4))]}, dtype=torch.{made(d)})",
    lambda d: f"torch.arange({(x := d.x('any', (1, 4)))}.shape[{d.axis(x)}])",
)


def made(d: Draw) -> str:
    """The dtype of something new."""
    dtype = d.pick("float32", "int64", *d.dtypes)
    if dtype == "bool":
        raise Skip
    return dtype
