"""The programs of generation: an encoder if there is one, and a step for each number of tokens that a step takes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GenerationMixin

import ttc
from ttc.compiled.chain import Chain
from ttc.compiled.executable import Executable
from ttc.errors import InputError
from ttc.generation.rows import by_tiles
from ttc.generation.step import DecoderStep, Encoder, Step
from ttc.ir import DType
from ttc.ir.lengths import Extent, Length
from ttc.ir.state import state_input
from ttc.pipeline import Build, in_one_memory
from ttc.runtime.run.buckets import Bucket

STEP, ENCODER = "step", "encoder"
"""The stages' names."""

TOKENS = "tokens"
"""The name of a step's length: the number of valid tokens, which the step takes as a tensor."""

ROWS = "rows"
"""The name of another length: the rows of the caches that tokens attend to, as many as the mask has."""

MASK = "attention_mask"
"""The input [batch, ROWS] of a step without an encoder."""

BY_TOKEN = ("input_ids", "position_ids")
"""The inputs [batch, tokens] of a step."""


@dataclass(frozen=True)
class Sizes:
    """The sequences of a generation, the rows of each one's cache, and the tokens of each step's program, ascending."""

    batch: int
    capacity: int
    tokens: tuple[int, ...]

    @classmethod
    def of(cls, step: Executable) -> Sizes:
        """Return the sizes that a step was compiled for."""
        batch, _, capacity, _ = dict(step.program.inputs)[state_input("keys_0")].shape
        return cls(batch, capacity, tuple(sorted({bucket.sizes[TOKENS] for bucket in step.buckets})))

    @property
    def aligned(self) -> bool:
        """Return whether a program writes whole tiles of rows."""
        return any(by_tiles(tokens, self.capacity) for tokens in self.tokens)

    @property
    def attended(self) -> Iterator[tuple[int, int]]:
        """Yield the tokens of each program with the rows that they attend to, the smallest first.

        Where a prompt's rows are whole tiles, its first piece has a program that attends to these rows alone.
        """
        for tokens in self.tokens:
            if by_tiles(tokens, self.capacity) and tokens < self.capacity:
                yield tokens, tokens
            yield tokens, self.capacity

    @property
    def piece(self) -> int:
        """Return how many tokens of a prompt are taken at a time."""
        return max((size for size in self.tokens if by_tiles(size, self.capacity)), default=self.tokens[-1])


def sizes_of(capacity: Any, batch: Any, tokens: Any) -> Sizes:
    """Return sizes that a user gives; InputError for what are no positive whole numbers."""
    for name, size in (("capacity", capacity), ("batch", batch), *(("tokens", size) for size in tokens)):
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise InputError(f"{name} takes positive whole numbers, not {size!r}")
    return Sizes(batch, capacity, tuple(sorted({1, *(size for size in tokens if size <= capacity)})))


CACHE_DTYPES = {"bf16": None, "bfp8": DType.bfp8}
"""The dtypes that users may keep keys and values in, in programs whose other numbers are bf16."""


def cache_dtype_named(name: Any, dtype: Any) -> DType | None:
    """Return the storage of keys and values that a user names, None for that of the program; InputError for others."""
    if name is None:
        return None
    if not isinstance(name, str) or name not in CACHE_DTYPES:
        raise InputError(f"cache_dtype takes {' or '.join(CACHE_DTYPES)}, not {name!r}")
    if str(dtype) in ("fp32", "torch.float32"):
        raise InputError(f"a program in fp32 keeps keys and values in fp32, not in {name}")
    return CACHE_DTYPES[name]


def compile_programs(
    model: Any, sizes: Sizes, inputs: Tensor | None, options: Mapping[str, Any], cache_dtype: DType | None
) -> Chain:
    """Compile a generative model of transformers; InputError for one that generates nothing.

    Keys and values are kept in `cache_dtype`, None for the program's.
    """
    require_generative(model)
    config: Any = model.config
    if not config.is_encoder_decoder:
        if inputs is not None:
            raise InputError(f"{type(model).__name__} has no encoder that takes inputs")
        return Chain.of({STEP: _causal(model, sizes, options, cache_dtype)}, {})
    if inputs is None:
        raise InputError(f"{type(model).__name__} has an encoder: give inputs, an example of the largest it takes")
    if not isinstance(inputs, Tensor):
        raise InputError(f"inputs takes a tensor, an example of what the encoder takes, not {type(inputs).__name__}")
    return _with_encoder(model, inputs, sizes, options, cache_dtype)


def require_generative(model: Any) -> None:
    """Require a model of transformers that generates with caches of a fixed size; InputError otherwise.

    Others compute masks from a cache's size, and are wrong in silence where the cache has rows to spare (GPT-Neo).
    """
    name = type(model).__name__
    if not isinstance(model, GenerationMixin) or not isinstance(model, nn.Module):
        raise InputError(f"{name} has no generate: give a generative model of transformers")
    if not getattr(model, "_can_compile_fullgraph", False):
        raise InputError(f"{name} takes no cache of a fixed size: its class does not declare _can_compile_fullgraph")


def load_programs(model: Any, folder: str | PathLike[str]) -> Chain:
    """Load the programs of a model; InputError for a folder without them."""
    if not model.config.is_encoder_decoder:
        return Chain.load(folder, (STEP,), {})
    chain = Chain.load(folder, (ENCODER, STEP), {})
    return Chain.load(folder, (ENCODER, STEP), cross_links(chain.stages))


def cross_links(stages: Mapping[str, Executable]) -> dict[str, dict[str, tuple[str, str]]]:
    """Return which input of a step takes which of the encoder's outputs: all but the first, in order."""
    outputs = [name for name, _ in stages[ENCODER].program.outputs][1:]
    inputs = [name for name, _ in stages[STEP].program.inputs if name.startswith("cross")]
    if len(inputs) != len(outputs):
        raise InputError(f"the encoder leaves {len(outputs)} keys and values, a step takes {len(inputs)}")
    return {STEP: {name: (ENCODER, output) for name, output in zip(inputs, outputs, strict=True)}}


def _causal(model: Any, sizes: Sizes, options: Mapping[str, Any], cache_dtype: DType | None) -> Executable:
    """Compile the step of a model without an encoder."""
    with torch.no_grad(), torch.device(model.device):
        step = Step(model, first_caches(model, sizes.batch), sizes.capacity)
        mask = torch.ones(sizes.batch, sizes.capacity, dtype=torch.long)

    def arguments(tokens: int, rows: int) -> dict[str, Any]:
        ids = _ids(model, sizes, tokens)
        return {"input_ids": ids, MASK: mask[:, :rows], "position_ids": torch.zeros_like(ids)}

    calls = [arguments(*each) for each in sizes.attended]
    return compile_steps(step, calls, options, by_row=MASK, cache_dtype=cache_dtype)


def first_caches(model: Any, batch: int) -> list[tuple[Tensor, Tensor]]:
    """Return the keys and values of each layer after a token of each sequence; InputError for layers of other state."""
    cache = model(torch.zeros(batch, 1, dtype=torch.long), use_cache=True).past_key_values
    for number, layer in enumerate(cache.layers):
        if not isinstance(getattr(layer, "keys", None), Tensor):
            kind = type(layer).__name__
            raise InputError(f"layer {number} of {type(model).__name__} keeps a {kind}, not keys and values alone")
    return [(layer.keys, layer.values) for layer in cache.layers]


def _with_encoder(
    model: Any, inputs: Tensor, sizes: Sizes, options: Mapping[str, Any], cache_dtype: DType | None
) -> Chain:
    """Compile a model's encoder for inputs of this size, and a step of its decoder, which reads what that leaves."""
    encoder = Encoder(model).eval()
    with torch.no_grad(), torch.device(model.device):
        mask = torch.ones(inputs.shape[:2], dtype=torch.long)
        _, *cross = encoder(inputs, mask)
        step = DecoderStep(model, list(zip(cross[::2], cross[1::2], strict=True)), sizes.capacity)

    def arguments(tokens: int) -> dict[str, Any]:
        return {"input_ids": _ids(model, sizes, tokens), "encoder_mask": mask, "cross": cross}

    stages = {
        ENCODER: ttc.compile(encoder, (inputs, mask), **options).executable,
        STEP: compile_steps(step, list(map(arguments, sizes.tokens)), options, cache_dtype=cache_dtype),
    }
    return Chain.of(stages, cross_links(stages))


def _ids(model: Any, sizes: Sizes, tokens: int) -> Tensor:
    return torch.zeros(sizes.batch, tokens, dtype=torch.long, device=model.device)


def compile_steps(
    step: nn.Module,
    calls: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    length: str = TOKENS,
    by_token: Collection[str] = BY_TOKEN,
    by_row: str | None = None,
    cache_dtype: DType | None = None,
) -> Executable:
    """Compile a step for each number of tokens: each program takes as many tokens or fewer.

    `calls` are the arguments of a call of each size, the smallest first; `by_token` names the inputs [batch, tokens],
    whose length is called `length`, and `by_row` the one [batch, ROWS], shorter where fewer rows are attended to. The
    rows of the caches are kept in `cache_dtype`, None for that of the program.
    """
    compiled = ttc.compile(step.eval(), **options)
    compiled.options = replace(compiled.options, cache_dtype=cache_dtype)
    builds = []
    for given in calls:
        ids = given["input_ids"]
        one = torch.ones(1, dtype=torch.long, device=ids.device)
        build = compiled.build_for(**{"start": torch.zeros_like(one), **given, TOKENS: one * ids.shape[1]})
        named = dict.fromkeys(by_token, length) | ({by_row: ROWS} if by_row else {})
        sizes = {own: given[name].shape[1] for name, own in named.items() if name in given}
        builds.append(replace(build, bucket=_of_tokens(build, sizes, length, named)))
    return Executable.of(in_one_memory(builds))


def _of_tokens(build: Build, sizes: Mapping[str, int], length: str, named: Mapping[str, str]) -> Bucket:
    """Return the bucket of a step: inputs [batch, n] are filled up, and the step takes the number of valid tokens."""
    exact = build.bucket
    inputs = {name: extent for name, extent in exact.inputs.items() if name != TOKENS}
    inputs |= {name: Extent((None, Length.named(own))) for name, own in named.items() if name in inputs}
    return replace(exact, sizes=sizes, names={length: TOKENS}, inputs=inputs)
