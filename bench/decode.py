"""Steps of generation at the sizes of published language models, on fake weights: predicted time beside the least.

    python -m bench.decode [NAME ...] [--write]

A step takes one token of one sequence, with caches of 8,192 rows; prompts are taken by 128 and by 2,048 tokens, in
programs that share the weights and the caches, as the first piece, which attends to no rows but its own. The least time
is that of reading each weight of a product and all rows of the caches once, at the peak rate of the card's DRAM. All
programs are put to the real library on a mock card. A NAME is `model@card`, or `model@card@bfp8` for caches in bfp8.
`--write` renews docs/decode.md. The exit status is 1 where the library refuses a program.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from bench.page import main
from ttc.analysis.run_calls import RunCall, run_calls
from ttc.calls.attention_decode import ScaledDotProductAttentionDecode
from ttc.calls.call import spec_of
from ttc.calls.index import Embedding
from ttc.calls.matmul import Linear
from ttc.calls.target import Target, target_named
from ttc.generation.compiling import ROWS as ATTENDED
from ttc.generation.compiling import STEP, TOKENS, cache_dtype_named, compile_programs, sizes_of
from ttc.ir import Const, Graph, Op
from ttc.runtime.check import check

PAGE = Path(__file__).parents[1] / "docs" / "decode.md"
ROWS = 8192
LAYER = re.compile(r"\.layers\.(\d+)\b")

COLUMNS = {
    **dict.fromkeys(("model", "card", "weights", "caches"), "---"),
    **dict.fromkeys(("GB read", "least ms", "predicted ms", "ratio", "tokens/s", "programs a layer"), "---:"),
    **dict.fromkeys(("products us", "attention us", "rest us"), "---:"),
    **dict.fromkeys(("128 tokens ms", "2,048 tokens ms", "GB needed"), "---:"),
    "real library": "---",
}
"""The columns of the page's table, and how their entries stand."""

HEAD = f"""# Decoding

A step of generation takes one token of one sequence, with caches of 8,192 rows, and a prompt is taken by 128 or by
2,048 tokens at a time, in programs that share the step's weights and caches; the times of prompts are those of a first
piece, which attends to no rows but its own. All layers are compiled, from weights on the meta device; `python -m
bench.decode --write` writes this page. The least time is that of reading each weight of a product, and all rows of the
caches, once at the peak rate of the card's DRAM; the predicted time is that of the [cost model](cost-model.md).
Programs are the device programs of a layer in the middle, and the microseconds those of its products and of its
attention, each with the ratio to its least time, and of the other programs. The real library on a mock card takes all
of these programs whole, in the GB of the card's DRAM that the largest of them needs with weights and caches, and with
as many device programs as predicted, or says what is at fault. A dash: prompts were left out, of the GB too.

Of weights in the banks of DRAM a Wormhole card is known to read 240 of 288 GB/s (a ratio of 1.20), of interleaved
caches 190 GB/s (1.52): with caches in bf16 that alone is a ratio of 1.24. A product takes 6 us more, to start, and a
bank holds whole columns of tiles, up to 3 % more than its share.

| {" | ".join(COLUMNS)} |
|{"|".join(COLUMNS.values())}|
"""

SIZES: Mapping[str, tuple[Any, Any, Mapping[str, Any]]] = {
    "llama-3-8b": (
        LlamaForCausalLM,
        LlamaConfig,
        {
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "vocab_size": 128256,
            "rope_theta": 500000.0,
            "max_position_embeddings": ROWS,
        },
    ),
    "qwen2.5-7b": (
        Qwen2ForCausalLM,
        Qwen2Config,
        {
            "hidden_size": 3584,
            "intermediate_size": 18944,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "vocab_size": 152064,
            "rope_theta": 1000000.0,
            "max_position_embeddings": 32768,
        },
    ),
}
"""The class, the class of its configuration and the sizes of each model, from the configurations on the hub."""

CARDS = {"n150": "bfp8", "p150": "bf16"}
"""The dtype whose weights fit into the memory of each card."""

PROMPTS = (128, 2048)
"""Tokens of a prompt that are taken at a time, by programs of models with caches in bf16."""

NAMES = tuple(f"{model}@{name}" for model in SIZES for name in (*CARDS, "n150@bfp8"))


@dataclass(frozen=True)
class Layer:
    """Seconds of a layer: of its products and of its attention with the least that they can take, and of the rest."""

    products: float
    least_of_products: float
    attention: float
    least_of_attention: float
    rest: float

    @classmethod
    def of(cls, calls: Sequence[RunCall], target: Target) -> Layer:
        """Add up the calls of a layer: weights and caches are read once at the peak rate of DRAM at least."""
        products = [call for call in calls if isinstance(call.node.op, Linear)]
        attention = [call for call in calls if isinstance(call.node.op, ScaledDotProductAttentionDecode)]
        read = [
            sum(_read(call.node.op) for call in kind) / target.dram_bytes_per_second for kind in (products, attention)
        ]
        each = [sum(call.cost.seconds for call in kind) for kind in (products, attention, calls)]
        return cls(each[0], read[0], each[1], read[1], each[2] - each[0] - each[1])

    def __str__(self) -> str:
        pairs = ((self.products, self.least_of_products), (self.attention, self.least_of_attention))
        parts = [f"{1e6 * seconds:,.0f} ({seconds / least:.2f})" for seconds, least in pairs]
        return " | ".join([*parts, f"{1e6 * self.rest:.0f}"])


def _read(call: Op) -> int:
    """Return the bytes of a product's weights, or of the keys and values of an attention."""
    match call:
        case Linear(input_tensor_b=weights):
            return spec_of(weights).stored_bytes
        case ScaledDotProductAttentionDecode(input_tensor_k=keys, input_tensor_v=values):
            return spec_of(keys).stored_bytes + spec_of(values).stored_bytes
    raise AssertionError(call)


@dataclass(frozen=True)
class Decode:
    """A step's bytes that are read at least, seconds at the peak rate and predicted, and programs of a layer.

    `prompts` are the predicted seconds of steps of more tokens, and `held` the bytes of DRAM that the largest needs.
    """

    model: str
    card: str
    dtype: str
    caches: str
    bytes_read: int
    least: float
    predicted: float
    programs: int
    layer: Layer
    prompts: tuple[float, ...]
    held: int
    faults: str

    @property
    def good(self) -> bool:
        """Return whether the real library takes the program as predicted."""
        return not self.faults

    def __str__(self) -> str:
        return (
            f"| {self.model} | {self.card} | {self.dtype} | {self.caches} | {self.bytes_read / 1e9:.2f} "
            f"| {1e3 * self.least:.1f} | {1e3 * self.predicted:.1f} | {self.predicted / self.least:.2f} "
            f"| {1 / self.predicted:.1f} | {self.programs} | {self.layer} | {' | '.join(self._prompts())} "
            f"| {self.held / 1e9:.2f} | {self.faults or 'takes them'} |"
        )

    def _prompts(self) -> list[str]:
        return [f"{1e3 * seconds:,.0f}" for seconds in self.prompts] or ["-"] * len(PROMPTS)


def measured(name: str, rows: int = ROWS, prompts: tuple[int, ...] = PROMPTS, **smaller: Any) -> Decode:
    """Compile and check the steps of a model for a card, `model@card` or `model@card@bfp8`; in other sizes if given."""
    model, card, *caches = name.split("@")
    kind, config, sizes = SIZES[model]
    with torch.device("meta"):
        made = kind(config(**{**sizes, **smaller})).eval().bfloat16()
    options = {"dtype": CARDS[card], "target": card}
    kept = cache_dtype_named(caches[0], CARDS[card]) if caches else None
    tokens = (1,) if caches else (1, *prompts)
    chain = compile_programs(made, sizes_of(rows, 1, tokens), None, options, kept)
    buckets, target = chain.stages[STEP].buckets, target_named(card)
    step, *first = [
        list(run_calls(bucket.program.graph, target))
        for bucket in buckets
        if bucket.sizes[TOKENS] in (1, bucket.sizes[ATTENDED])
    ]
    predicted, *longer = (sum(call.cost.seconds for call in each) for each in (step, *first))
    reports = [check(bucket.program) for bucket in buckets]
    read, middle = bytes_read(buckets[0].program.graph), str(made.config.num_hidden_layers // 2)
    layer = [call for call in step if LAYER.findall(call.location)[:1] == [middle]]
    return Decode(
        model,
        card,
        CARDS[card],
        "".join(caches) or "bf16",
        read,
        read / target.dram_bytes_per_second,
        predicted,
        sum(call.cost.programs for call in layer),
        Layer.of(layer, target),
        tuple(longer),
        max(report.dram_bytes for report in reports),
        "; ".join(str(fault) for report in reports for fault in report.faults),
    )


def bytes_read(graph: Graph) -> int:
    """Count the bytes of the constants and of the states of a step, but for tables of which few rows are read."""
    tables = {node.op.weight for node in graph.nodes if isinstance(node.op, Embedding)}
    constants = [node.results[0] for node in graph.nodes if isinstance(node.op, Const)]
    read = [value for value in constants if value not in tables]
    return sum(spec_of(value).stored_bytes for value in (*read, *graph.states.values()))


if __name__ == "__main__":
    sys.exit(main("bench.decode", "steps of generation of published models", PAGE, HEAD, NAMES, measured))
