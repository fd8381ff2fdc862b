"""Outputs that stay on the device, and runs of other programs that take them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

import ttc
from tests.runtime.run.test_traced import SIZE, session, sized, x
from tests.runtime.stand_in import standing_in
from ttc.compiled.link import linked
from ttc.errors import InputError
from ttc.runtime.run.kept import Kept
from ttc.runtime.run.session import Session

X = np.random.default_rng(0).standard_normal((1, 5, 8)).astype(np.float32)


class Split(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x * 2, x > 0


class Join(nn.Module):
    def forward(self, y: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
        return torch.where(m, y, -y).sum(1)


@pytest.fixture(scope="module")
def first() -> Iterator[Session]:
    with ttc.compile(Split(), (torch.zeros(1, 5, 8),), dtype="fp32").session("emulator") as session:
        yield session


@pytest.fixture(scope="module")
def second(first: Session) -> Iterator[Session]:
    compiled = ttc.compile(Join(), (torch.zeros(1, 5, 8), torch.zeros(1, 5, 8, dtype=torch.bool)), dtype="fp32")
    with compiled.executable.session_on(first.device) as session:
        yield session


def test_a_kept_output_is_taken_by_another_program(first: Session, second: Session):
    left = first.run([X], keep=("0", "1"))
    assert all(isinstance(item, Kept) for item in left.values())
    found = second.run({"y": left["0"], "m": left["1"]})["output"]
    np.testing.assert_allclose(found, np.where(X > 0, 2 * X, -2 * X).sum(1), rtol=1e-6)
    again = second.run({"y": left["0"], "m": X > 0})["output"]  # one of them kept, and not used up
    np.testing.assert_array_equal(again, found)


def test_a_kept_output_can_be_read(first: Session):
    left = first.run([X], keep=["1"])
    np.testing.assert_array_equal(left["1"].array(), X > 0)
    assert left["1"].shape == (1, 5, 8)
    np.testing.assert_array_equal(left["0"], 2 * X)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda left: {"y": left["1"], "m": left["1"]}, "input 'y' is kept as bool, the program takes f32"),
        (lambda left: {"y": left["0"], "m": left["0"]}, "input 'm' is kept as f32, the program takes bool"),
    ],
)
def test_kept_outputs_of_another_type_are_refused(first: Session, second: Session, given, message: str):
    with pytest.raises(InputError, match=re.escape(message)):
        second.run(given(first.run([X], keep=("0", "1"))))


def test_kept_outputs_of_another_shape_are_refused(second: Session):
    wide = ttc.compile(Split(), (torch.zeros(1, 6, 8),), dtype="fp32").executable.session_on(second.device)
    left = wide.run([np.zeros((1, 6, 8), np.float32)], keep=("0",))
    with pytest.raises(InputError, match=re.escape("input 'y' is kept with shape [1, 6, 8], padding included")):
        second.run({"y": left["0"], "m": X > 0})


def test_kept_outputs_in_another_form_are_refused(second: Session):
    narrow = ttc.compile(Split(), (torch.zeros(1, 5, 8),), dtype="bf16").executable.session_on(second.device)
    left = narrow.run([X], keep=("0",))
    with pytest.raises(InputError, match=r"input 'y' is kept as bf16.*, the program takes f32.*: link the two"):
        second.run({"y": left["0"], "m": X > 0})


def test_kept_outputs_of_another_device_are_refused(second: Session):
    with ttc.compile(Split(), (torch.zeros(1, 5, 8),), dtype="fp32").session("emulator") as elsewhere:
        left = elsewhere.run([X], keep=("0",))
        with pytest.raises(InputError, match="input 'y' was kept on another device"):
            second.run({"y": left["0"], "m": X > 0})


def test_kept_outputs_end_with_their_session(second: Session):
    with ttc.compile(Split(), (torch.zeros(1, 5, 8),), dtype="fp32").executable.session_on(second.device) as session:
        left = session.run([X], keep=("0",))
    for use in (left["0"].array, lambda: second.run({"y": left["0"], "m": X > 0})):
        with pytest.raises(InputError, match="output '0' is kept no more: its session ran again, or is closed"):
            use()


def test_only_outputs_are_kept(first: Session):
    with pytest.raises(InputError, match="there is no output 'z' to keep; the program gives 0, 1"):
        first.run([X], keep=("z",))


def test_lengths_of_each_sample_go_along():
    class Scale(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 3

    class Mean(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean(1)

    x = torch.randn(2, 30, 4)
    named = {"dynamic_shapes": ({1: "T"},), "lengths": {"T": [32, 64]}, "dtype": "fp32"}
    first, second = (ttc.compile(module, (x,), **named) for module in (Scale(), Mean()))
    with first.session("emulator") as a, second.executable.session_on(a.device) as b:
        left = a.run({"x": x.numpy(), "T": [30, 17]}, keep=("output",))["output"]
        assert left.shape == (2, 30, 4)
        assert left.sizes[1].tolist() == [30, 17]
        found = b.run({"x": left})["output"]
    wanted = torch.stack([3 * x[0].mean(0), 3 * x[1, :17].mean(0)])
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_whole_numbers_with_padding_are_no_inputs():
    """Programs trust the padding of whole numbers to be zero; what the program before leaves there is anything."""

    class Places(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x.abs() + 1).long()

    class Count(nn.Module):
        def forward(self, n: torch.Tensor) -> torch.Tensor:
            return n.sum(1)

    named = {"lengths": {"T": [8, 16]}, "dtype": "fp32", "dynamic_shapes": ({1: "T"},)}
    first = ttc.compile(Places(), (torch.zeros(1, 8),), **named)
    second = ttc.compile(Count(), (torch.zeros(1, 8, dtype=torch.int64),), **named)
    with first.session("emulator") as a, second.executable.session_on(a.device) as b:
        full, short = (a.run([np.ones((1, n), np.float32)], keep=("output",))["output"] for n in (8, 7))
        assert b.run({"n": full})["output"].tolist() == [16]
        with pytest.raises(InputError, match="input 'n' is kept as whole numbers with padding: give its array"):
            b.run({"n": short})
        assert b.run({"n": short.array()})["output"].tolist() == [14]


def test_the_bucket_follows_what_is_kept():
    """The smallest bucket for 66 frames would be 96, and what is kept has room for 128."""

    class Double(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.repeat_interleave(2, 1)

    class Sum(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.sum(1)

    x = torch.randn(1, 33, 4)
    first = ttc.compile(Double(), (x,), dynamic_shapes=({1: "N"},), lengths={"N": [32, 64]}, dtype="fp32")
    second = ttc.compile(Sum(), (x,), dynamic_shapes=({1: "T"},), lengths={"T": [96, 128, 160]}, dtype="fp32")
    taking = linked(second.executable, {"x": (first.executable, "output")})
    with first.session("emulator") as a, taking.session_on(a.device) as b:
        left = a.run([x.numpy()], keep=("output",))["output"]
        assert (left.shape, left.type.shape) == ((1, 66, 4), (1, 128, 4))
        np.testing.assert_allclose(b.run({"x": left})["output"], 2 * x.sum(1), atol=1e-5)


def traced_pair() -> tuple[Session, Session]:
    """Two sessions of traced programs on a stand-in's card; the second one's input takes the first one's output."""
    return session([sized(4)], (SIZE,), 4), session([sized(4)], (SIZE,), 4)


def test_traced_programs_hand_tensors_on():
    with standing_in(), traced_pair()[0] as first, traced_pair()[1] as second:
        wanted = [second.run(first.run(x(n, 4))["y"])["y"] for n in range(4)]
    with standing_in() as ttnn:
        first, second = traced_pair()
        with first, second:
            for number in range(4):  # warm-up, capture, two replays
                left = first.run(x(number, 4), keep=("y",))["y"]
                before = len(ttnn.log)
                np.testing.assert_array_equal(second.run({"x": left})["y"], wanted[number])
                assert not [word for word, _ in ttnn.log[before:] if word.startswith(("write", "upload"))]
            assert (first.eager, second.eager) == (None, None)
            np.testing.assert_array_equal(left.array(), first.run(x(3, 4))["y"])


def test_what_a_traced_program_leaves_holds_until_its_next_run():
    with standing_in():
        first, second = traced_pair()
        with first, second:
            for number in range(3):
                left = first.run(x(number, 4), keep=("y",))["y"]
                first.run(x(number, 4))
                with pytest.raises(InputError, match="output 'y' is kept no more: its session ran again"):
                    second.run({"x": left})
