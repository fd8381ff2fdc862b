"""Generation with models of transformers: `generate` as it is, compiled programs underneath.

compiled = ttc.generation.compile(model, capacity=256)
tokens = compiled.generate(prompt, max_new_tokens=64)
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from ttc.errors import require

if TYPE_CHECKING:
    from torch import Tensor

    from ttc.compiled.chain import Chain

__all__ = ["compile", "load", "programs"]


def compile(
    model: Any,
    *,
    capacity: int,
    batch: int = 1,
    tokens: tuple[int, ...] = (32, 128),
    inputs: Tensor | None = None,
    cache_dtype: str | None = None,
    device: str | None = None,
    **options: Any,
) -> Any:
    """Return a copy of a model, with the same weights, whose `generate` runs compiled programs on a device.

    A cache on the device has `capacity` rows for each of `batch` sequences, prompt and new tokens together. A step
    takes one token, or up to each number of `tokens`; a longer prompt is taken in pieces. A model with an encoder needs
    `inputs`, an example of the largest that its encoder takes. Keys and values are kept in `cache_dtype`: "bf16", or
    "bfp8", half as many bytes for each step to read. `options` are those of `ttc.compile`: target, dtype, and
    so on. The model that is given stays as it is.

    Raises InputError for a model that does not generate, Refused with every reason why it cannot be compiled.
    """
    how = {"inputs": inputs, "cache_dtype": cache_dtype, **options}
    compiled = programs(model, capacity=capacity, batch=batch, tokens=tokens, **how)
    return on_device(model, compiled, device)


def load(model: Any, folder: str | PathLike[str], device: str | None = None) -> Any:
    """Return a copy of a model whose `generate` runs the programs that `programs(...).save(folder)` wrote.

    Of the model itself the configuration is read, no weights. InputError for a folder that is damaged.
    """
    _require()
    from ttc.generation.compiling import load_programs

    return on_device(model, load_programs(model, folder), device)


def programs(
    model: Any,
    *,
    capacity: int,
    batch: int = 1,
    tokens: tuple[int, ...] = (32, 128),
    inputs: Tensor | None = None,
    cache_dtype: str | None = None,
    **options: Any,
) -> Chain:
    """Compile the programs of `compile`, for a look at them or to save them; weights may be on the meta device."""
    _require()
    from ttc.generation.compiling import cache_dtype_named, compile_programs, sizes_of

    kept = cache_dtype_named(cache_dtype, options.get("dtype"))
    return compile_programs(model, sizes_of(capacity, batch, tokens), inputs, options, kept)


def on_device(model: Any, programs: Chain, device: str | None = None) -> Any:
    """Return a copy of a model whose `generate` runs its programs in a session on a device."""
    from ttc.generation.generating import running
    from ttc.generation.steps import Steps

    return running(model, Steps(programs, device))


def _require() -> None:
    require("generation", ("transformers", "torch"), "models")
