"""Bark small at its published size, from random weights, stage by stage: `pytest -m sweep` of this file, with `-s`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

import ttc
from bench.speech_programs import weigh
from tests.mock_cards import check
from tests.models.systems.test_bark import configs
from ttc.analysis.report import report as report_of
from ttc.calls.target import target_named
from ttc.compiled.chain import Chain
from ttc.compiled.chain_session import ChainSession
from ttc.models.bark_speech import speech, whole
from ttc.models.model import seeded
from ttc.models.systems.bark import Bark
from ttc.models.systems.bark_tokens import CoarseWindows, FineWindows
from ttc.models.systems.compile import compiled_stage
from ttc.validation.accuracy import pcc

pytestmark = pytest.mark.sweep

SYSTEM = Bark()
NUMBER = SYSTEM.numbers
TEXT = tuple(range(1000, 1020))
STEPS, VARIETY = 200, 20
"""Tokens that are generated, and how many of them differ, at the least."""

SEMANTIC_PCC, COARSE_PCC, FINE_PCC, SOUND_PCC = 0.9997, 0.9999, 0.9996, 0.999
PER_SECOND = 92
"""Semantic tokens a second that are predicted for n150, at the least."""


@cache
def package() -> Any:
    with seeded(0):
        model = whole("real").eval()
        weigh(model)
    return model


def chain(name: str, target: str, dtype: str) -> Chain:
    """Return a chain of one stage."""
    with seeded(0):
        module, inputs = speech("real", weigh)[name]
    stage = next(stage for stage in SYSTEM.stages if stage.name == name)
    return Chain.of(
        {name: compiled_stage(SYSTEM, stage, (module.eval(), inputs), target, dtype, lambda what: None)}, {}
    )


@contextmanager
def session(name: str, dtype: str) -> Iterator[ChainSession]:
    with chain(name, "n150", dtype).session("emulator") as opened:
        yield opened


def prompt() -> torch.Tensor:
    return torch.from_numpy(SYSTEM.inputs(TEXT))


@cache
def semantic_tokens() -> np.ndarray:
    """The package's tokens of the text."""
    mask = (torch.arange(NUMBER.text) < len(TEXT)).long()[None]
    ids = torch.zeros(1, NUMBER.text, dtype=torch.long)
    ids[0, : len(TEXT)] = torch.tensor(TEXT)
    given = {"semantic_generation_config": configs(NUMBER)["semantic_generation_config"]}
    return package().semantic.generate(ids, attention_mask=mask, max_new_tokens=STEPS, **given)[0].numpy()


@cache
def coarse_tokens() -> np.ndarray:
    """The package's tokens of as many semantic ones as give STEPS."""
    given = {name: config for name, config in configs(NUMBER).items() if not name.startswith("fine")}
    semantic = torch.from_numpy(semantic_tokens()[: int(STEPS / NUMBER.ratio) + 1])[None].clone()
    return package().coarse_acoustics.generate(semantic, codebook_size=NUMBER.codebook, **given)[0].numpy()


def coarse_codes() -> np.ndarray:
    return (coarse_tokens().reshape(-1, NUMBER.coarse_codebooks).T - NUMBER.semantic) % NUMBER.codebook


@cache
def fine_codes() -> np.ndarray:
    """The package's codes."""
    tokens = torch.from_numpy(coarse_tokens())[None]
    return package().fine_acoustics.generate(tokens, codebook_size=NUMBER.codebook, **configs(NUMBER))[0].numpy()


def test_semantic_tokens():
    with session("semantic", "fp32") as opened:
        found = SYSTEM.semantic(opened, TEXT, STEPS)
    print(f"{STEPS} semantic tokens, {len(np.unique(found))} different, equal: {(found == semantic_tokens()).mean()}")
    assert len(np.unique(found)) > VARIETY
    np.testing.assert_array_equal(found, semantic_tokens())


def test_coarse_tokens():
    with session("coarse", "fp32") as opened:
        found = SYSTEM.coarse(opened, semantic_tokens()[: int(STEPS / NUMBER.ratio) + 1])
    print(f"{found.size} coarse tokens, {len(np.unique(found))} different, equal: {(found == coarse_codes()).mean()}")
    assert found.size == STEPS
    assert len(np.unique(found)) > VARIETY
    np.testing.assert_array_equal(found, coarse_codes())


def test_fine_codes():
    with session("fine", "fp32") as opened:
        found = SYSTEM.fine(opened, coarse_codes())
    print(f"fine codes of {found.shape[1]} frames, equal: {(found == fine_codes()).mean()}")
    np.testing.assert_array_equal(found, fine_codes())


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_samples(dtype: str):
    with torch.no_grad():
        wanted = package().codec_decode(torch.from_numpy(fine_codes())[None])[0].numpy()
    with session("decode", dtype) as opened:
        found = opened.run("decode", {"codes": fine_codes()[None]})["output"][0]
    print(f"{len(found)} samples, {dtype}: PCC {pcc(found, wanted)}")
    assert found.shape == wanted.shape
    assert pcc(found, wanted) >= SOUND_PCC


@torch.no_grad()
def test_logits_of_semantic_steps():
    """A prompt, and steps after the package's own tokens."""
    tokens, model = semantic_tokens()[:8], package().semantic
    embed, infer = model.input_embeds_layer, NUMBER.text_infer
    end = torch.full((1, NUMBER.text), NUMBER.semantic)
    after = torch.tensor([[infer, *tokens[:-1]]])
    embeds = torch.cat([embed(prompt()) + embed(end), embed(after)], 1)
    wanted = model(inputs_embeds=embeds).logits[0, NUMBER.text :, : NUMBER.semantic + 1].numpy()
    with session("semantic", "bf16") as opened:
        first = {"input_ids": prompt().numpy(), "history": end.numpy(), "start": [0]}
        opened.run("semantic", first, keep=("sequence", "logits"))
        found = [
            opened.run("semantic", {"input_ids": [[token]], "history": [[0]], "start": [NUMBER.text + place]})[
                "logits"
            ][0]
            for place, token in enumerate(after[0].tolist())
        ]
    each = [pcc(*pair) for pair in zip(found, wanted, strict=True)]
    print(f"semantic logits, bf16: PCC {min(each)} to {max(each)}")
    assert min(each) >= SEMANTIC_PCC


@torch.no_grad()
def test_logits_of_coarse_steps():
    """A prompt of a later window, and steps after the package's own tokens."""
    windows = CoarseWindows(semantic_tokens()[: int(STEPS / NUMBER.ratio) + 1], None, NUMBER)
    windows.add(coarse_tokens()[: NUMBER.coarse_window])
    ids, _ = next(iter(windows))
    tokens = coarse_tokens()[NUMBER.coarse_window :][:8]
    whole_prompt = torch.from_numpy(np.concatenate([ids, tokens[:-1]]))[None]
    wanted = package().coarse_acoustics(whole_prompt).logits[0, len(ids) - 1 :, NUMBER.semantic :].numpy()
    largest, found = NUMBER.prompts[-1], []
    pieces = [ids[first : first + largest] for first in range(0, len(ids), largest)]
    row = 0
    with session("coarse", "bf16") as opened:
        for piece in (*pieces, *([token] for token in tokens[:-1])):
            given = {"input_ids": np.array(piece)[None], "codebook": [0], "start": [row]}
            found.append(opened.run("coarse", given)["logits"][0])
            row += len(piece)
    each = [pcc(*pair) for pair in zip(found[len(pieces) - 1 :], wanted, strict=True)]
    print(f"coarse logits, bf16: PCC {min(each)} to {max(each)}")
    assert min(each) >= COARSE_PCC


@torch.no_grad()
def test_logits_of_fine_codes():
    """One codebook: the program of all chooses codes, and leaves no logits."""
    (codes, _), *_ = FineWindows(coarse_codes(), None, NUMBER)
    given = torch.from_numpy(codes)[None]
    fine = package().fine_acoustics

    class First(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fine = fine

        def forward(self, codes: torch.Tensor) -> torch.Tensor:
            return self.fine(NUMBER.coarse_codebooks, codes).logits

    found = ttc.compile(First().eval(), given, dtype="bf16").run([given.numpy()], "emulator")["output"]
    found_pcc = pcc(found, First()(given).numpy())
    print(f"fine logits, bf16: PCC {found_pcc}")
    assert found_pcc >= FINE_PCC


@pytest.mark.parametrize("target", ["n150", "p150"])
@pytest.mark.parametrize("name", ["semantic", "coarse", "fine", "decode"])
def test_the_real_library_accepts_every_program(name: str, target: str):
    for bucket in chain(name, target, "bf16").stages[name].buckets:
        facts = report_of(bucket.program.graph, target_named(target))
        print(
            f"{name} {dict(bucket.sizes)} {target}: {facts.calls} calls, {facts.device_programs} programs, "
            f"{facts.layout_conversions} conversions, {facts.predicted_seconds * 1e3:.3f} ms"
        )
        assert facts.host_ops == 0
        report = check(bucket.program)
        assert report.ok, report
        if name == "semantic" and target == "n150" and bucket.sizes["S"] == 1:
            assert 1 / facts.predicted_seconds >= PER_SECOND
