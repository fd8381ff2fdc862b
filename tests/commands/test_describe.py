"""`ttc ops NAME`: an op, an operator of ONNX or aten, a TTNN call."""

from __future__ import annotations

import pytest

from ttc.cli import main
from ttc.commands.describe import described
from ttc.commands.support import refusals
from ttc.errors import InputError, Refusal


def test_an_op_says_what_it_is_who_becomes_it_and_what_it_becomes():
    text = described("topk")
    assert text.startswith("topk: The k largest (or smallest) elements along `dim`, sorted, and their indices (i64)")
    assert "  written   topk(x: Value, k: int, dim: int, largest: bool = True)\n" in text
    assert "  of ONNX   TopK\n" in text
    assert (
        "  of aten   argsort, argsort.stable, kthvalue, median.default, median.dim, sort, sort.stable, topk\n" in text
    )
    assert "ttnn.topk" in text.partition("  becomes   ")[2].partition("in types")[0]
    assert "  in types  f32, bf16, i32\n" in text
    assert "  refused   TTNN has no topk of {op.x.dtype}\n            the {op.k} largest of {op.x.type} take" in text


def test_operators_and_calls_of_the_name_follow():
    text = described("softmax")
    assert [line for line in text.splitlines() if not line.startswith(" ") and line] == [
        "softmax: exp(x - max) / sum(exp(x - max)) along `dim`.",
        "ONNX Softmax",
        "aten _softmax",
        "aten softmax",
        "ttnn.softmax: exp(x - max) / sum(exp(x - max)) along `dim`, the maximum subtracted if `numeric_stable`.",
    ]


@pytest.mark.parametrize("name", ["Gemm", "gemm", "onnx.Gemm", "ai.onnx.Gemm"])
def test_an_operator_is_found_as_people_write_it(name: str):
    assert described(name).startswith("ONNX Gemm\n  read as   add, expand, ")


def test_an_aten_op_is_found_with_and_without_its_overload():
    assert described("aten.argmax").startswith("argmax: ")
    assert "aten sort.stable\n  read as   " in described("aten.sort")
    assert described("sort.stable").startswith("aten sort.stable\n")


def test_an_operator_says_what_its_reading_refuses():
    assert "needs {len(kernel) + 2} dimensions, got {x.type}\n" in described("Conv")


def test_an_operator_that_is_not_supported_says_why():
    assert described("digamma").startswith("aten digamma: not supported: it is a special function")
    assert "ONNX Unique: not supported: " in described("unique")


def test_an_op_without_calls_is_decomposed():
    assert "  becomes   nothing: it is decomposed, or known when compiling\n" in described("full")


def test_an_unknown_name_is_told_with_its_neighbours():
    with pytest.raises(InputError, match="no op, operator or TTNN call is called 'sofmax'; did you mean softmax or"):
        described("sofmax")
    with pytest.raises(InputError, match="called 'qqq'; `ttc ops` lists what there is"):
        described("qqq")


def test_the_command(capsys: pytest.CaptureFixture[str]):
    assert main(["ops", "Gelu"]) == 0
    assert capsys.readouterr().out == described("gelu")
    assert main(["ops", "no such op"]) == 2
    assert "no op, operator or TTNN call is called 'no such op'" in capsys.readouterr().err


def refuses(number: int) -> None:
    if number > 2:
        raise Refusal("too large")
    if number < -2:
        raise Refusal(f"{number!r} of {number + 1:>3} is {'small'}")
    raise ValueError("no refusal")


def test_refusals_are_read_from_the_source():
    assert refusals(refuses) == ["too large", "{number} of {number + 1} is {'small'}"]
