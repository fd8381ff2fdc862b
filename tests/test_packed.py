"""Models that pack sequences, as users meet them: compiled as they are, run at any length, saved, checked."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import ttc
from tests.mock_cards import check_many
from ttc.calls.target import TARGETS
from ttc.validation.accuracy import pcc, scaled_error


class Encoder(nn.Module):
    """Symbols through convolutions and packed recurrences, as speech models have them."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(40, 32)
        self.conv = nn.Conv1d(32, 32, 5, padding=2)
        self.lstm = nn.LSTM(32, 16, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(32)
        self.gru = nn.GRU(32, 24, 2, batch_first=True, bidirectional=True)
        self.durations = nn.Linear(48, 1)

    def forward(self, ids, lengths):
        mask = torch.arange(ids.shape[1]) < lengths.unsqueeze(1)
        x = torch.relu(self.conv(self.embedding(ids).transpose(1, 2))) * mask.unsqueeze(1)
        packed = pack_padded_sequence(x.transpose(1, 2), lengths, batch_first=True, enforce_sorted=False)
        y, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=ids.shape[1])
        packed = pack_padded_sequence(self.norm(y), lengths, batch_first=True, enforce_sorted=False)
        y, last = self.gru(packed)
        y, lengths = pad_packed_sequence(y, batch_first=True, total_length=ids.shape[1])
        return {"durations": torch.sigmoid(self.durations(y)).squeeze(-1) * mask, "last": last, "lengths": lengths}


RUNS = ([16, 9, 1], [5, 11, 7], [29, 30, 2])


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Encoder().eval()


def called(lengths):
    return torch.randint(0, 40, (len(lengths), max(lengths))), torch.tensor(lengths)


def buckets(model, dtype):
    named = {"ids": {1: "T"}, "lengths": None}
    return ttc.compile(model, called(RUNS[0]), dynamic_shapes=named, lengths={"T": [16, 32]}, dtype=dtype)


def wanted(model, args):
    with torch.no_grad():
        return {name: tensor.numpy() for name, tensor in model(*args).items()}


@pytest.mark.parametrize("lengths", RUNS)
def test_one_size(model, lengths):
    args = called(lengths)
    found = ttc.compile(model, args, dtype="fp32")(*args)
    for name, array in wanted(model, args).items():
        assert scaled_error(found[name].numpy(), array) <= 1e-5


def test_buckets_saved_and_loaded(model, tmp_path):
    buckets(model, "fp32").save(tmp_path / "model.ttc")
    loaded = ttc.load(tmp_path / "model.ttc")
    for lengths in RUNS:
        ids, each = args = called(lengths)
        found = loaded.run({"ids": ids.numpy(), "lengths": each.numpy()})
        for name, array in wanted(model, args).items():
            assert found[name].shape == array.shape
            assert scaled_error(found[name], array) <= 1e-5


def test_bf16_buckets(model):
    compiled = buckets(model, "bf16")
    for lengths in RUNS:
        args = called(lengths)
        found = compiled(*args)
        for name, array in wanted(model, args).items():
            assert pcc(found[name].numpy(), array) >= 0.999


def test_only_the_convolution_needs_a_mask(model):
    """What follows has the model's own mask and lengths."""
    for bucket in buckets(model, "fp32").buckets:
        (mask,) = bucket.masks
        assert "a convolution reads over the end of the length" in mask


@pytest.mark.parametrize(
    "target", ["n150", *(pytest.param(t, marks=pytest.mark.sweep) for t in TARGETS if t != "n150")]
)
def test_accepted_by_the_real_ttnn(model, target, ttnn_python):
    programs = [bucket.program for dtype in ("fp32", "bf16") for bucket in buckets(model, dtype).buckets]
    for report in check_many([str(program.graph) for program in programs], TARGETS[target]):
        assert report.ok, report.faults


def test_a_module_without_data(model):
    """From meta tensors the program has the same text."""
    empty = Encoder().eval().to("meta")
    args = called(RUNS[0])
    assert str(ttc.compile(empty, args).dump("lower")) == str(ttc.compile(model, args).dump("lower"))
