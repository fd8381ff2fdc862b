"""Generation with models of transformers: `generate` as it is, compiled programs underneath.

compiled = ttc.generation.compile(model, capacity=256)
tokens = compiled.generate(prompt, max_new_tokens=64)

serving = ttc.generation.serve(ttc.generation.programs(model, capacity=256, batch=8, blocks=64))
sequence = serving.begin(prompt)
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from ttc.errors import require

if TYPE_CHECKING:
    from torch import Tensor

    from ttc.compiled.chain import Chain
    from ttc.generation.serving import Serving

__all__ = ["compile", "load", "programs", "serve"]


def compile(
    model: Any,
    *,
    capacity: int,
    batch: int = 1,
    tokens: tuple[int, ...] = (32, 128),
    inputs: Tensor | None = None,
    cache_dtype: str | None = None,
    blocks: int | None = None,
    block_size: int = 32,
    device: str | None = None,
    **options: Any,
) -> Any:
    """Return a copy of a model, with the same weights, whose `generate` runs compiled programs on a device.

    A cache on the device has `capacity` rows for each of `batch` sequences, prompt and new tokens together. A step
    takes one token, or up to each number of `tokens`; a longer prompt is taken in pieces. A model with an encoder needs
    `inputs`, an example of the largest that its encoder takes. Keys and values are kept in `cache_dtype`: "bf16", or
    "bfp8", half as many bytes for each step to read. With `blocks` they lie in a pool of so many blocks of `block_size`
    rows, which the sequences of all generations share; a cache that is dropped gives its blocks back. `options` are
    those of `ttc.compile`: target, dtype, and so on. The model that is given stays as it is.

    Raises InputError for a model that does not generate, Refused with every reason why it cannot be compiled.
    """
    how = {"inputs": inputs, "cache_dtype": cache_dtype, "blocks": blocks, "block_size": block_size, **options}
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
    blocks: int | None = None,
    block_size: int = 32,
    **options: Any,
) -> Chain:
    """Compile the programs of `compile`, for a look at them or to save them; weights may be on the meta device."""
    _require()
    from ttc.generation.compiling import cache_dtype_named, compile_programs, sizes_of
    from ttc.generation.paged_programs import compile_paged, paged_sizes

    kept, sizes = cache_dtype_named(cache_dtype, options.get("dtype")), sizes_of(capacity, batch, tokens)
    if blocks is None:
        return compile_programs(model, sizes, inputs, options, kept)
    return compile_paged(model, paged_sizes(sizes, blocks, block_size), inputs, options, kept)


def serve(programs: Chain | str | PathLike[str], device: str | None = None) -> Serving:
    """Return a session of programs that keep keys and values in blocks, or of the folder that holds such programs.

    Sequences come and go there one by one. InputError for programs without blocks, and for a damaged folder.
    """
    _require()
    from ttc.compiled.chain import Chain
    from ttc.generation.compiling import STEP
    from ttc.generation.serving import Serving

    return Serving(programs if isinstance(programs, Chain) else Chain.load(programs, (STEP,), {}), device)


def on_device(model: Any, programs: Chain, device: str | None = None) -> Any:
    """Return a copy of a model whose `generate` runs its programs in a session on a device."""
    from ttc.generation.generating import running
    from ttc.generation.paged_programs import is_paged
    from ttc.generation.paged_steps import PagedSteps
    from ttc.generation.steps import Steps

    return running(model, PagedSteps(programs, device) if is_paged(programs) else Steps(programs, device))


def _require() -> None:
    require("generation", ("transformers", "torch"), "models")
