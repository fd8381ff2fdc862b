"""The page of decoding steps: its figures at a tiny size, and the page as it stands."""

import pytest

from bench.decode import HEAD, NAMES, PAGE, bytes_read, measured
from tests.cards import swept
from ttc.calls.target import TARGETS
from ttc.runtime.run.program import parse_program

TINY = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "vocab_size": 320,
}

CARD_BYTES = {name: TARGETS[name].dram_bytes_per_second for name in ("n150", "p150")}


@pytest.mark.parametrize("name", ["llama-3-8b@n150", *map(swept, ("qwen2.5-7b@p150", "llama-3-8b@n150@bfp8"))])
def test_figures_of_a_tiny_model(name: str, ttnn_python: str):
    found = measured(name, rows=64, prompts=(32, 64), **TINY)
    size = {"bfp8": 1.0625, "bf16": 2}[found.dtype]
    layer = 256 * 512 + 256 * 256 + 3 * 256 * 512  # queries, keys and values; the output; gate, up and down
    weights = size * (2 * layer + 256 * 320)
    caches = 2 * 2 * 4 * 64 * 32 * {"bfp8": 1.0625, "bf16": 2}[found.caches]
    assert len(found.prompts) == (2 if found.caches == "bf16" else 0)
    assert found.held > found.bytes_read
    assert found.good, found.faults
    assert weights + caches < found.bytes_read < 1.05 * (weights + caches) + 50_000  # norms, biases, rotary angles
    assert found.least < found.predicted
    assert 14 <= found.programs <= 30
    parts = found.layer
    assert parts.least_of_products * CARD_BYTES[found.card] == size * layer
    assert parts.least_of_attention * CARD_BYTES[found.card] == caches / 2
    assert parts.products > parts.least_of_products
    assert parts.attention > parts.least_of_attention
    assert 0 < parts.rest < found.predicted - parts.products - parts.attention
    assert str(found).count("|") == HEAD.splitlines()[-1].count("|")


def test_of_an_embedding_one_row_is_read():
    graph = parse_program("""graph {
      %state.k: bf16[32,32] tile dram = input(name="@state.k")
      %i: u32[1,1] row_major dram = input(name="i")
      %w: bf16[64,32] row_major dram = const(ref="w")
      %v: bf16[32,64] tile dram = const(ref="v")
      %e: bf16[1,1,32] tile dram = ttnn.embedding(%i, %w, layout=TILE)
      %y: bf16[1,1,64] tile dram = ttnn.matmul(%e, %v)
      return "y"=%y, "@state.k"=%state.k
    }""")
    assert bytes_read(graph) == 32 * 32 * 2 + 32 * 64 * 2


def test_the_page_has_every_model():
    rows = [row.split(" | ") for row in PAGE.read_text().removeprefix(HEAD).splitlines()]
    wanted = [(*name.split("@"), "bf16")[:3] for name in NAMES]
    assert [(row[0], row[1], row[3]) for row in rows] == [(f"| {model}", *rest) for model, *rest in wanted]
    assert all(row[-1] == "takes them |" for row in rows)
