"""The sweep over families of models: tiny configurations, trials in processes of their own, and the page."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("transformers")

from bench.families import tiny, trial
from bench.families.page import page, share
from bench.families.trial import FAILED, LOW, REFUSED, RIGHT, UNBUILT, UNEXPORTED, Trial, tried

TRIALS = [
    Trial("one", RIGHT, "", 1e-6, 0.999),
    Trial("two", RIGHT, "", 1e-6, 0.999),
    Trial("three", REFUSED, "aten.x | is not supported"),
    Trial("four", LOW, "PCC 0.9, torch's own bf16 0.95", 1e-6, 0.9),
    Trial("five", UNEXPORTED, "a guard"),
    Trial("six", UNBUILT, "too large"),
]


def test_a_family_is_tried_whole():
    found = tried("bert")
    assert found.outcome == RIGHT, found
    assert found.fp32 is not None
    assert found.bf16 is not None
    assert 0 < found.fp32 <= trial.FP32_LIMIT
    assert trial.BF16_LIMIT <= found.bf16 < 1


def test_what_is_no_family_is_not_built():
    assert tried("no such family").outcome == UNBUILT


def test_a_process_that_ends_or_hangs_is_a_failure(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trial, "_trial", lambda family, card: os._exit(3))
    assert tried("bert") == Trial("bert", FAILED, "the process ended with 3")
    monkeypatch.setattr(trial, "_trial", lambda family, card: __import__("time").sleep(60))
    monkeypatch.setattr(trial, "SECONDS", 0.2)
    assert tried("bert") == Trial("bert", FAILED, "took more than 0.2 s")


def test_configurations_are_small_and_whole():
    config = tiny.configuration("mixtral")
    assert (config.hidden_size, config.num_hidden_layers, config.num_local_experts) == (32, 2, 4)
    gemma = tiny.configuration("gemma2")
    assert gemma.layer_types == ["sliding_attention", "full_attention"]  # both kinds
    assert tiny.configuration("vit").image_size % tiny.configuration("vit").patch_size == 0
    with pytest.raises(tiny.TooLarge):
        tiny.model("perceiver")


def test_the_share_counts_what_export_takes():
    assert share(TRIALS) == 2 / 4
    assert share([]) == 0


def test_the_page_orders_by_cause():
    text = page([*TRIALS, Trial("seven", REFUSED, "b"), Trial("eight", REFUSED, "b")])
    assert "Of 6 families that torch.export takes 2 are right: 33.3%." in text
    assert text.index("| b | seven, eight |") < text.index("| aten.x \\| is not supported | three |")
    assert "## Right\n\none, two\n" in text
