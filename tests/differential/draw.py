"""What a random program is drawn from: values so far and new inputs; every draw follows from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from random import Random

import numpy as np

SIZES = (1, 1, 2, 2, 3, 3, 4, 5, 7, 8, 16, 31, 33)
LARGEST = 2048
"""Elements of an input; a result may have twice as many."""

FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int64", "int32")
KINDS: dict[str, tuple[str, ...]] = {
    "float": FLOATS,
    "int": INTEGERS,
    "bool": ("bool",),
    "number": FLOATS + INTEGERS,
    "any": (*FLOATS, *INTEGERS, "bool"),
    "f32": ("float32",),
    "i64": ("int64",),
}


class Skip(Exception):
    """Nothing fits what a recipe asks for."""


@dataclass(frozen=True)
class Var:
    """A value of a program: its name, dtype as torch and numpy spell it, and shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def numel(self) -> int:
        return prod(self.shape)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Argument:
    """An input of a program; `numbers` says which (see `array`), `seed` draws them."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    numbers: str = "plain"
    seed: int = 0

    @property
    def array(self) -> np.ndarray:
        return array(self.dtype, self.shape, self.numbers, self.seed)


def array(dtype: str, shape: tuple[int, ...], numbers: str, seed: int) -> np.ndarray:
    """Numbers of a dtype (bfloat16 as float32): "plain" ones, "positive", "unit" (0 to 1), or integers below a bound.

    Plain floats are normal; in a third of the arrays, some are whole numbers, halves and zeros instead.
    """
    source = np.random.default_rng(seed)
    if dtype == "bool":
        return source.random(shape) > 0.5
    if numbers.isdigit():
        return source.integers(0, int(numbers), shape).astype(dtype)
    if dtype in INTEGERS or dtype in ("uint8", "int8", "int16"):
        low = 1 if numbers == "positive" else 0 if dtype == "uint8" else -9
        return source.integers(low, 10, shape).astype(dtype)
    found = source.standard_normal(shape)
    if numbers == "plain" and seed % 3 == 0:
        found = np.where(source.random(shape) < 0.5, np.round(found * 4) / 2, found)
    if numbers == "positive":
        found = np.abs(found) + 0.25
    if numbers == "unit":
        found = source.random(shape)
    return found.astype("float32" if dtype == "bfloat16" else dtype)


class Draw:
    """A program in the making: what recipes draw their operands and attributes from."""

    def __init__(self, seed: int, dtypes: tuple[str, ...], length: int | None = None):
        self.random = Random(seed)
        self.dtypes = dtypes
        """The dtypes of new inputs."""
        self.length = length
        """A size that some dimensions of new inputs have, which may vary (buckets)."""
        self.vars: list[Var] = []
        self.arguments: list[Argument] = []
        self.layers: dict[str, str] = {}
        """Constructors of the program's layers by name."""
        self.count = 0

    # ------------------------------------------------------------ plain draws

    def pick(self, *items):
        return self.random.choice(items)

    def integer(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return self.random.randint(low, high)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def number(self) -> str:
        """A Python scalar as text."""
        return self.pick("2", "-1", "0.5", "1.5", "-2.0", "3", "1", "0.1", "0")

    def fresh(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def layer(self, constructor: str) -> str:
        """A new layer of the program: how it is called."""
        name = self.fresh("m")
        self.layers[name] = constructor
        return f"self.{name}"

    def shape(self, rank: int) -> tuple[int, ...]:
        sizes = [self.pick(*SIZES) for _ in range(rank)]
        if self.length and rank and self.chance(0.8):
            sizes[self.integer(0, rank - 1)] = self.length
        while prod(sizes) > LARGEST:
            largest = max(range(rank), key=lambda axis: (sizes[axis] != self.length, sizes[axis]))
            sizes[largest] = self.pick(1, 2, 3)
        return tuple(sizes)

    # ------------------------------------------------------------ operands

    def new(self, dtype: str, shape: tuple[int, ...], numbers: str = "plain") -> Var:
        """A new input."""
        if len(self.arguments) > 7:
            raise Skip
        argument = Argument(self.fresh("x"), dtype, tuple(shape), numbers, self.integer(0, 10**6))
        self.arguments.append(argument)
        var = Var(argument.name, dtype, argument.shape)
        self.vars.append(var)
        return var

    def x(
        self, kind: str = "any", rank: int | tuple[int, int] = (0, 6), fits: Callable[[Var], bool] = lambda v: True
    ) -> Var:
        """A value so far of a kind and rank, the latest preferred; now and then a new input."""
        low, high = (rank, rank) if isinstance(rank, int) else rank
        found = [v for v in self.vars if v.dtype in KINDS[kind] and low <= v.rank <= high and fits(v)]
        if found and not self.chance(0.05):
            made = [v for v in found if v.name.startswith("v")]
            return self.random.choice(made[-3:] if made and self.chance(0.85) else found)
        dtypes = [d for d in self.dtypes if d in KINDS[kind]] or [KINDS[kind][0]]
        for _ in range(8):
            shape = self.shape(self.integer(low, min(high, max(low, self.pick(1, 2, 2, 3, 3, 4, 4, 5)))))
            if fits(Var("", dtypes[0], shape)):
                return self.new(self.random.choice(dtypes), shape)
        raise Skip

    def like(self, x: Var, kind: str | None = None) -> Var:
        """Something that broadcasts with x: a value so far, or a new input with some dimensions 1 or left out."""
        kinds = KINDS[kind] if kind else tuple(d for d in KINDS["any"] if (d == "bool") == (x.dtype == "bool"))
        found = [v for v in self.vars if v.dtype in kinds and broadcasts(v.shape, x.shape)]
        if found and self.chance(0.65):
            return self.random.choice(found)
        keep = x.shape[self.integer(0, x.rank) if self.chance(0.4) else 0 :]
        shape = tuple(1 if self.chance(0.25) else size for size in keep)
        dtypes = [x.dtype] * 3 + [d for d in self.dtypes if d in kinds] if x.dtype in kinds else [kinds[0]]
        return self.new(self.random.choice([d for d in dtypes if d in kinds]), shape)

    def given(self, dtype: str, shape: tuple[int, ...], numbers: str = "plain") -> Var:
        """A value of just this type: one so far if there is one, else a new input."""
        found = [v for v in self.vars if v.dtype == dtype and v.shape == tuple(shape)]
        if found and numbers == "plain" and self.chance(0.7):
            return self.random.choice(found)
        return self.new(dtype, tuple(shape), numbers)

    def axis(self, x: Var) -> int:
        """A dimension of x, counted from either end."""
        if not x.rank:
            raise Skip
        return self.integer(-x.rank, x.rank - 1)

    def axes(self, x: Var) -> list[int]:
        """Some dimensions of x, at least one, each once."""
        if not x.rank:
            raise Skip
        found = self.random.sample(range(x.rank), self.integer(1, x.rank))
        return [axis - x.rank if self.chance(0.4) else axis for axis in found]


def broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(x == y or 1 in (x, y) for x, y in zip(reversed(a), reversed(b), strict=False))
