"""Every model at a tiny size: numbers against torch, calls against the real ttnn; published sizes on fake weights."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import MochiAttnProcessor2_0
from torch.utils import _pytree as pytree

import ttc
from tests.mock_cards import check
from ttc import models
from ttc.calls.target import TARGETS
from ttc.compiled.compiled import Compiled
from ttc.errors import InputError
from ttc.validation.accuracy import pcc, scaled_error

FIRST, *OTHERS = TARGETS

ZOO = [(name, "tiny") for name in models.NAMES if name != "minilm"] + [("llama", "odd")]
pytestmark = pytest.mark.filterwarnings("ignore:In CPU autocast:UserWarning")  # Mochi's own code asks for it in fp32
each_model = pytest.mark.parametrize(("name", "size"), ZOO, scope="module")  # one model after another

MILLIONS = {
    "bark_semantic": 193.0,
    "bark_coarse": 104.3,
    "bark_fine": 92.3,
    "clip_text": 123.1,
    "clip_text_g": 695,
    "flux": 11_900,
    "llama": 8_030,
    "mochi": 10_030,
    "owlvit": 153,
    "qwen_image": 20_430,
    "sd3": 8_060,
    "speecht5_hifigan": 12.7,
    "t5": 4_760,
    "vit": 86.6,
    "wan": 14_290,
}
"""Published numbers of parameters."""


@lru_cache(2)
def built(name: str, size: str) -> tuple[torch.nn.Module, dict[str, Any]]:
    return models.named(name).build(size)


@lru_cache(4)
def compiled(name: str, size: str, dtype: str, target: str = FIRST) -> Compiled:
    return exported(name, size).variant(dtype=dtype, target=target)


@lru_cache(1)
def exported(name: str, size: str) -> Compiled:
    """The program from which the others are made, so that each model is exported once."""
    module, inputs = built(name, size)
    return ttc.compile(module, kwargs=inputs, dtype="fp32", target=FIRST)


@lru_cache(2)
def reference(name: str, size: str) -> list[np.ndarray]:
    module, inputs = built(name, size)
    with torch.no_grad():
        return arrays(module(**inputs))


def arrays(results: Any) -> list[np.ndarray]:
    return [leaf.numpy() for leaf in pytree.tree_leaves(results) if isinstance(leaf, torch.Tensor)]


def run(name: str, size: str, dtype: str, mode: str = "exact") -> list[np.ndarray]:
    program = compiled(name, size, dtype)
    tensors = {key: value for key, value in built(name, size)[1].items() if isinstance(value, torch.Tensor)}
    return list(program.run({key: tensor.numpy() for key, tensor in tensors.items()}, mode=mode).values())


def worst(measure: Callable[[np.ndarray, np.ndarray], float], found: list, wanted: list) -> list[float]:
    return [measure(a, b) for a, b in zip(found, wanted, strict=True)]


@each_model
def test_fp32_matches_torch(name: str, size: str, record_property: Callable[[str, object], None]):
    wanted = reference(name, size)
    assert max(worst(scaled_error, run(name, size, "fp32"), wanted)) <= 1e-4
    on_the_engine = run(name, size, "fp32", "tensix")
    tensix = max(worst(scaled_error, on_the_engine, wanted))
    record_property("tensix_scaled_error", tensix)
    assert tensix <= 2e-2  # operands are cut to TF32, 2^-10 of each, and in one direction
    assert min(worst(pcc, on_the_engine, wanted)) >= models.named(name).pcc


@each_model
def test_bf16_correlates_with_torch(name: str, size: str):
    least = models.named(name).pcc
    assert min(worst(pcc, run(name, size, "bf16"), reference(name, size))) >= least >= 0.99


@each_model
@pytest.mark.parametrize("target", [FIRST, *(pytest.param(other, marks=pytest.mark.sweep) for other in OTHERS)])
@pytest.mark.parametrize("dtype", ["bf16", pytest.param("fp32", marks=pytest.mark.sweep)])
def test_real_ttnn_accepts_every_call_as_predicted(name: str, size: str, dtype: str, target: str, ttnn_python: str):
    program = compiled(name, size, dtype, target)
    found = check(program.build.program)
    assert found.faults == []
    predicted = program.report
    assert (predicted.device_programs, predicted.layout_conversions) == (found.device_programs, found.conversions)


@pytest.mark.parametrize("name", MILLIONS)
def test_published_sizes_have_their_published_parameters(name: str):
    module, _ = models.named(name).build(fake=True)
    count = sum(parameter.numel() for parameter in module.parameters())
    assert all(parameter.is_meta for parameter in module.parameters())
    assert count / 1e6 == pytest.approx(MILLIONS[name], rel=5e-3)


def test_masked_attention_of_mochi_equals_the_librarys_own():
    module, inputs = built("mochi", "tiny")
    block_processors = [block.attn1.processor for block in module.transformer_blocks]
    try:
        for block in module.transformer_blocks:
            block.attn1.processor = MochiAttnProcessor2_0()
        with torch.no_grad():
            (wanted,) = arrays(module(**inputs))
            (unmasked,) = arrays(module(**inputs | {"encoder_attention_mask": torch.ones(1, 13, dtype=torch.bool)}))
    finally:
        for block, processor in zip(module.transformer_blocks, block_processors, strict=True):
            block.attn1.processor = processor
    assert scaled_error(reference("mochi", "tiny")[0], wanted) <= 1e-5
    assert scaled_error(unmasked, wanted) > 1e-4


def test_unknown_models_are_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"no model is called 'lama'; known are .*llama"):
        models.named("lama")


@pytest.mark.parametrize(
    ("name", "module", "remedy"),
    [
        ("sd3", "diffusers", r"'tt-compile\[models\]'"),
        ("openvoice_converter", "openvoice_cli", "--no-deps openvoice-cli"),
    ],
)
def test_a_missing_package_is_named(name: str, module: str, remedy: str, monkeypatch: pytest.MonkeyPatch):
    file = next(file for file, names in models.FILES.items() if name in names)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"ttc.models.{file}", raising=False)
    with pytest.raises(InputError, match=f"{name} needs the package {module}: pip install {remedy}"):
        models.named(name)
