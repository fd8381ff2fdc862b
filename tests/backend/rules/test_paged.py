"""Writes into blocks of a pool and attention to them: where a pool is written, how heads come there and go on."""

from __future__ import annotations

import pytest
import torch

from tests.backend.rules.stepping import random_inputs, stepped
from tests.mock_cards import check
from tests.passes.check import retyped
from tests.samples.states import FILLED, SERVED
from ttc.calls.target import TARGETS
from ttc.errors import Refused
from ttc.pipeline import Options, compile_graph
from ttc.validation.accuracy import pcc

TOKENS = """
  %k0: f32[8,2,32,64] = input(name="@state.k")
  %v0: f32[8,2,32,64] = input(name="@state.v")
  %qkv: f32[1,3,512] = input(name="qkv")
  %table: i64[3,2] = literal(data=[5, 2, 0, 7, 1, 6])
  %positions: i64[3] = input(name="positions")
  %q0: f32[1,3,256] = slice(x=%qkv, starts=[0, 0, 0], ends=[1, 3, 256])
  %q1: f32[1,3,4,64] = reshape(x=%q0, shape=[1, 3, 4, 64])
  %q2: f32[1,4,3,64] = permute(x=%q1, dims=[0, 2, 1, 3])
  %cos: f32[1,1,3,64] = input(name="cos")
  %sin: f32[1,1,3,64] = input(name="sin")
  %q3: f32[1,4,3,64] = rotary(x=%q2, cos=%cos, sin=%sin)
  %q: f32[3,4,1,64] = permute(x=%q3, dims=[2, 1, 0, 3])
  %k1: f32[1,3,128] = slice(x=%qkv, starts=[0, 0, 256], ends=[1, 3, 384])
  %k: f32[3,2,1,64] = reshape(x=%k1, shape=[3, 2, 1, 64])
  %v1: f32[1,3,128] = slice(x=%qkv, starts=[0, 0, 384], ends=[1, 3, 512])
  %v: f32[3,2,1,64] = reshape(x=%v1, shape=[3, 2, 1, 64])
  %keys: f32[8,2,32,64] = write_rows(pool=%k0, new=%k, table=%table, positions=%positions)
  %values: f32[8,2,32,64] = write_rows(pool=%v0, new=%v, table=%table, positions=%positions)
  %a: f32[3,4,1,64] = paged_attention(q=%q, keys=%keys, values=%values, table=%table, positions=%positions, scale=0.125)
  %rows: f32[1,3,256] = reshape(x=%a, shape=[1, 3, 256])
  return "output"=%rows, "@state.k"=%keys, "@state.v"=%values
"""
"""A token of each of three sequences, whose heads are cut from one row and joined in one."""


def lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[1:-1])


def text_of(text: str, *changes: tuple[str, str]) -> str:
    """The program of a changed text, which the real library takes; two runs of it give the numbers of the ops."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    graph = retyped(text)
    inputs = random_inputs(graph)
    steps = [{**inputs, "positions": torch.tensor(positions)} for positions in ([3, 40, 0], [4, 41, -1])]
    program, pairs = stepped(graph, Options(TARGETS["n150"], "bf16"), steps)
    for given, pair in zip(steps, pairs, strict=True):
        there = given["positions"] >= 0
        rows = 1 if pair[1].shape[0] == 1 else 0
        assert pcc(*(y.movedim(rows, 0)[there].numpy() for y in pair)) > 0.999
    return program


def test_heads_are_cut_once_from_the_row_of_all_tokens():
    text = text_of(TOKENS)
    assert text.count("split_query_key_value_and_split_heads(") == 1
    assert text.count("paged_update_cache(") == 2
    assert "ttnn.slice" not in text


def test_heads_are_joined_by_one_reshape():
    text = text_of(TOKENS)
    (attention,) = [line for line in text.splitlines() if "attention_decode(" in line]
    name = attention.split(":")[0].strip()
    assert f"ttnn.reshape({name}, [1, 3, 256]" in text


NEAR = {
    "a row for each token": [
        ("f32[1,3,512] = input", "f32[3,1,512] = input"), ("f32[1,3,256] = slice", "f32[3,1,256] = slice"),
        ("f32[1,3,128] = slice", "f32[3,1,128] = slice"), ("ends=[1, 3,", "ends=[3, 1,")],
    "columns that are no heads of all three": [
        ("starts=[0, 0, 384], ends=[1, 3, 512]", "starts=[0, 0, 320], ends=[1, 3, 448]")],
}  # fmt: skip


@pytest.mark.parametrize("changes", NEAR.values(), ids=NEAR)
def test_other_rows_are_right_too(changes: list[tuple[str, str]]):
    text_of(TOKENS, *changes)


def test_a_result_of_another_shape_is_right_too():
    kept = ('"output"=%rows', '"output"=%a')
    assert "[3, 4, 1, 64]" in text_of(TOKENS, kept)


REFUSED = [
    (FILLED, [('"@state.pool"', '"pool"'), (', "pool"=%new', "")], "a pool must be a state whose old numbers"),
    (FILLED, [('"output"=%new', '"output"=%pool')], "a pool must be a state whose old numbers nothing else reads"),
    (SERVED, [('"output"=%a', '"output"=%k0')], "a pool must be a state whose old numbers nothing else reads"),
]


@pytest.mark.parametrize(("text", "changes", "message"), REFUSED)
def test_a_pool_that_cannot_be_written_is_refused(text: str, changes: list[tuple[str, str]], message: str):
    text = lines(text)
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    with pytest.raises(Refused, match=message):
        compile_graph(retyped(text), Options(TARGETS["n150"], "bf16"))


@pytest.mark.parametrize(("batch", "taken"), [(11, False), (12, True), (13, False), (64, True)])
def test_sequences_fill_a_rectangle_of_cores(batch: int, taken: bool):
    numbers = ", ".join(["0"] * 2 * batch)
    text = lines(SERVED).replace("[3,", f"[{batch},").replace("[3]", f"[{batch}]")
    text = text.replace("data=[5, 2, 0, 7, 1, 6]", f"data=[{numbers}]")
    options = Options(TARGETS["n150"], "bf16")
    if taken:
        assert check(compile_graph(retyped(text), options).program).ok
        return
    with pytest.raises(Refused, match=f"{batch} sequences do not fill a rectangle of the card's"):
        compile_graph(retyped(text), options)
