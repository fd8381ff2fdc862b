"""Voice conversion whole, at tiny size: against the package's modules at the recordings' true lengths."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ttc
from tests.cards import FIRST
from tests.mock_cards import assert_accepted
from ttc.compiled.chain import Chain
from ttc.models.model import seeded
from ttc.models.systems.openvoice import VoiceConversion

openvoice = pytest.importorskip("ttc.models.openvoice", reason="needs the package openvoice-cli")

SYSTEM = VoiceConversion("tiny")


def recording(samples: int, seed: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


@pytest.fixture(scope="module")
def chain() -> Chain:
    return SYSTEM.pipeline(dtype="fp32")


def wanted(source: np.ndarray, reference: np.ndarray, seed: int, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The package's modules on the recordings themselves, with the noise that a session draws."""
    with seeded(0):
        built = openvoice.conversion("tiny", lambda module: None)
    tone, convert = (built[name][0].eval() for name in ("tone", "convert"))
    shape = (1, openvoice.CONFIGS["tiny"]["inter_channels"], len(source) // openvoice.hop("tiny"))
    noise = torch.from_numpy(np.random.default_rng(seed).standard_normal(shape, np.float32))
    monkeypatch.setattr(torch, "randn_like", lambda x: noise)
    with torch.no_grad():
        both = torch.cat([tone(torch.from_numpy(each)[None]) for each in (source, reference)])
        return convert(torch.from_numpy(source)[None], both)[0].numpy()


@pytest.mark.sweep  # seven exports of each stage, 80 s of processor time
@pytest.mark.parametrize(("source", "reference"), [(700, 430), (330, 1024)])
def test_conversion_is_the_package_s_own(chain: Chain, source: int, reference: int, monkeypatch: pytest.MonkeyPatch):
    given = {"source": recording(source, 1), "reference": recording(reference, 2)}
    with chain.session("emulator") as session:
        found = SYSTEM.run(session, seed=3, **given)
    assert len(found) == source // 8 * 8
    np.testing.assert_allclose(found, wanted(*given.values(), 3, monkeypatch), atol=1e-6)
    assert [run.downloaded > 0 for run in session.runs] == [False, True]


def test_the_stages_at_one_size_are_the_package_s_own():
    """Each stage as it is handed to the compiler, at its example's size, without the sweep's buckets."""
    with seeded(0):
        built = openvoice.conversion("tiny", lambda module: None)
    module, inputs = built["tone"]
    with torch.no_grad():
        wanted = module.eval()(**inputs).numpy()
    found = ttc.compile(module, kwargs=inputs, dtype="fp32").run(inputs, "emulator")["output"]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.sweep
@pytest.mark.parametrize("target", FIRST)
def test_real_ttnn_accepts_every_program_of_the_published_size(target: str, ttnn_python: str):
    assert_accepted(VoiceConversion().pipeline(target, "bf16"))
