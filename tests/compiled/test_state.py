"""State of torch modules: sessions go on as the module does, and a single run starts anew."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils import _pytree as pytree

import ttc
from tests.cards import CARD_AND_DTYPE
from tests.compiled.stateful import ODD, Attends, Average, Changes, Counter, Delays, Normalises, Shared
from tests.mock_cards import check
from ttc.calls.target import target_named
from ttc.errors import InputError, Refused
from ttc.validation.accuracy import pcc

RUNS = 50
CASES = {
    "counter": (Counter, (3,)),
    "average": (Average, (8, 4)),
    "cache": (Attends, (1, 1, 32)),
    "norm": (Normalises, (8, 6)),
    "delays": (Delays, (2, 3)),
}


def made(case: str) -> tuple[torch.nn.Module, list[torch.Tensor]]:
    torch.manual_seed(0)
    make, shape = CASES[case]
    return make().eval(), [torch.randn(shape) for _ in range(RUNS)]


def as_arrays(found: object) -> list[np.ndarray]:
    return [tensor.detach().numpy() for tensor in pytree.tree_leaves(found)]


def close(found: np.ndarray, wanted: np.ndarray, dtype: str) -> None:
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(found, wanted)
    elif dtype == "fp32":
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)
    else:
        assert pcc(found, wanted) >= 0.999


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("case", CASES)
def test_runs_go_on_as_torch_does(case, dtype, tmp_path):
    model, inputs = made(case)
    compiled = ttc.compile(model, inputs[0], dtype=dtype)
    compiled.save(tmp_path / "model.ttc")
    sessions = compiled.session(), ttc.load(tmp_path / "model.ttc").session()
    assert compiled.report.host_ops == 0
    initial = {name: buffer.numpy().copy() for name, buffer in model.named_buffers()}
    first: dict[str, np.ndarray] = {}
    for x in inputs:
        with torch.no_grad():
            wanted = as_arrays(model(x))
        for session in sessions:
            found = session.run(x.numpy())
            first = first or found
            for array, want in zip(found.values(), wanted, strict=True):
                close(array, want, dtype)
    for session in sessions:
        state = session.state()
        assert state.keys() == initial.keys()
        for name, buffer in model.named_buffers():
            close(state[name], buffer.numpy(), dtype)
        session.reset()
        for name, array in session.state().items():
            np.testing.assert_array_equal(array, initial[name])
        for name, array in session.run(inputs[0].numpy()).items():
            np.testing.assert_array_equal(array, first[name])


def test_a_slow_average_moves_in_bf16():
    model, inputs = made("average")
    session = ttc.compile(model, inputs[0] + 3).session()
    for x in inputs:
        model(x + 3)
        session.run((x + 3).numpy())
    moved = model.get_buffer("mean").numpy() - 0.5
    np.testing.assert_allclose(session.state()["mean"] - 0.5, moved, rtol=1e-3)


@pytest.mark.parametrize("write", ["assign", "where", "scatter", "shift"])
def test_ways_to_write_in_place(write):
    torch.manual_seed(0)
    model = Attends(write).eval()
    compiled = ttc.compile(model, torch.zeros(1, 1, 32), dtype="fp32")
    session = compiled.session()
    assert not any("scatter" in kind for kind in compiled.report.calls_by_kind)
    for _ in range(5):
        x = torch.randn(1, 1, 32)
        with torch.no_grad():
            close(session.run(x.numpy())["output"], model(x).numpy(), "fp32")
    for name, buffer in model.named_buffers():
        close(session.state()[name], buffer.numpy(), "fp32")


@pytest.mark.parametrize(("target", "dtype"), CARD_AND_DTYPE)
def test_the_library_accepts_the_programs(target, dtype):
    for case in CASES:
        model, inputs = made(case)
        program = ttc.compile(model, inputs[0], target=target, dtype=dtype).executable.program
        report = check(program, target_named(target))
        assert report.ok, (case, report.faults)


def test_a_single_run_starts_from_the_initial_state():
    model, inputs = made("counter")
    compiled = ttc.compile(model, inputs[0])
    for _ in range(2):
        assert compiled.run(inputs[0].numpy())["1"] == 3
        assert compiled(inputs[0])[1] == 3
    assert model.get_buffer("n") == 3  # the module itself is left alone


def test_a_state_takes_the_values_at_the_time_of_compiling():
    model, inputs = made("counter")
    compiled = ttc.compile(model, inputs[0])
    model.get_buffer("n").fill_(100)
    assert compiled.run(inputs[0].numpy())["1"] == 3


def test_fake_weights_give_the_same_program_and_are_bound(tmp_path):
    model, inputs = made("cache")
    with torch.device("meta"):
        fake = Attends().eval()
    compiled, real = ttc.compile(fake, torch.zeros(1, 1, 32)), ttc.compile(model, inputs[0])
    assert compiled.dump(compiled.stages[-1]) == real.dump(real.stages[-1])
    compiled.save(tmp_path / "fake.ttc")
    model.get_buffer("position").fill_(7)
    session = ttc.load(tmp_path / "fake.ttc", weights=model.state_dict()).session()
    assert session.state()["position"] == 7
    assert session.run(inputs[0].numpy())["output"].shape == (1, 1, 32)
    with pytest.raises(InputError, match="weight 'keys' is missing"):
        ttc.load(tmp_path / "fake.ttc", weights={n: w for n, w in model.state_dict().items() if n != "keys"})


# ------------------------------------------------------------ inputs that a module changes


def test_a_call_changes_the_tensors_that_the_module_changes():
    x, y = torch.randn(2, 3), torch.randn(2, 3)
    compiled = ttc.compile(Changes(), (x, {"y": y}), dtype="fp32")
    ours, theirs = [(x.clone(), {"y": y.clone()}) for _ in range(2)]
    found, wanted = compiled(*ours), Changes()(*theirs)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(ours, theirs)
    arrays = compiled.run({"x": x.numpy(), "kept.y": y.numpy()})
    assert list(arrays) == ["x", "x_2", "kept.y"]  # a result is called x: the input's new numbers are not
    np.testing.assert_allclose(arrays["x_2"], theirs[0], rtol=1e-6)
    np.testing.assert_allclose(arrays["kept.y"], theirs[1]["y"], rtol=1e-6)


def test_a_changed_input_is_no_state():
    compiled = ttc.compile(Changes(), (torch.ones(2), {"y": torch.ones(2)}))
    session = compiled.session()
    assert session.state() == {}
    for _ in range(2):
        assert session.run([np.ones(2, np.float32)] * 2)["x_2"].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda x: (x[:2], {"y": x[:2]}), "'x' and 'kept.y' share memory, and the model changes 'x': give each memory"),
        (lambda x: (x[:2], {"y": x[1:3]}), "'x' and 'kept.y' share memory"),
        (lambda x: (x[:1].expand(2), {"y": x[2:]}), "the model changes 'x', whose elements lie in one memory"),
        (lambda x: (x[:2], {"y": x[2:]}), ""),
        (lambda x: (x[2:], {"y": x[:2]}), ""),
    ],
)
@pytest.mark.parametrize("exported", [False, True])
def test_what_is_changed_shares_no_memory(given: Callable, words: str, exported: bool):
    example = (torch.ones(2), {"y": torch.ones(2)})
    model = torch.export.export(Changes(), example) if exported else Changes()
    compiled = ttc.compile(model) if exported else ttc.compile(model, example)
    ours, theirs = torch.arange(4.0), torch.arange(4.0)
    if words:
        with pytest.raises(InputError) as caught:
            compiled(*given(ours))
        assert words in str(caught.value)
        assert torch.equal(ours, theirs), "nothing is changed"
        return
    torch.testing.assert_close(compiled(*given(ours)), Changes()(*given(theirs)))
    assert torch.equal(ours, theirs)


def test_arrays_that_a_call_gives_are_changed_too():
    example = (torch.ones(2), {"y": torch.ones(2)})
    for compiled in (ttc.compile(Changes(), example), ttc.compile(torch.export.export(Changes(), example))):
        x, y = np.ones(2, np.float32), np.full(2, 3, np.float32)
        compiled(x, {"y": y})
        assert (x.tolist(), y.tolist()) == ([4, 4], [6, 6])


# ------------------------------------------------------------ buffers of all kinds


@pytest.mark.parametrize("kind", ODD)
def test_odd_ways_to_keep_state(kind: str):
    make = ODD[kind]
    ours, model = make().eval(), make().eval()
    session = ttc.compile(ours, torch.ones(3), dtype="fp32").session()
    for number in range(4):
        x = torch.full((3,), float(number))
        with torch.no_grad():
            wanted = as_arrays(model(x.clone()))
        for array, want in zip(session.run(x.numpy()).values(), wanted, strict=True):
            np.testing.assert_allclose(array, want, rtol=1e-3)
    state = session.state()
    changed = {n for (n, a), b in zip(model.named_buffers(), ours.buffers(), strict=True) if not torch.equal(a, b)}
    assert changed <= state.keys()
    for name, array in state.items():
        buffer = model.get_buffer(name)
        wanted = buffer.float() if buffer.dtype is torch.bfloat16 else buffer
        assert array.dtype == wanted.numpy().dtype
        np.testing.assert_allclose(array, wanted.numpy(), rtol=1e-3)


# ------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Shared(), "'a' and 'b' share memory, and the model changes it: give each memory of its own"),
        (lambda: Shared(part=True), "'a' and 'b' share memory"),
        (lambda: Shared(twice=True), "'first.n' and 'second.n' share memory"),
    ],
)
def test_buffers_that_share_memory_are_named(make: Callable, words: str):
    assert words in refusal(make(), torch.ones(3))


def refusal(model: torch.nn.Module, *args: torch.Tensor) -> str:
    with pytest.raises((Refused, InputError)) as caught:
        ttc.compile(model.eval(), args)
    return str(caught.value)


def test_the_initial_numbers_fit_the_device():
    model = Counter()
    model.n.fill_(1 << 40)
    assert f"the initial state n in stateful.py:27: the integer {1 << 40} does not fit the device's 32 bits" in refusal(
        model, torch.ones(3)
    )


def test_names_of_states_are_no_names_of_inputs():
    class Takes(torch.nn.Module):
        def forward(self, x):
            return x["@state.a"] + 1

    assert "'x.@state.a'" not in str(ttc.compile(Takes(), ({"@state.a": torch.ones(2)},)).run(np.ones(2, np.float32)))

    class Gives(torch.nn.Module):
        def forward(self, x):
            return {"@state.a": x + 1}

    assert "'@state.a' is no name for an input or output" in refusal(Gives(), torch.ones(2))


def test_state_is_bound_by_name_in_onnx_models_alone():
    with pytest.raises(InputError, match="the state of torch's is the buffers it changes"):
        ttc.compile(Counter().eval(), torch.ones(3), state={"x": "output"})


def test_the_example_of_the_page(capsys):
    block = re.search(r"```python\n(.*?)```", (Path(__file__).parents[2] / "docs/state.md").read_text(), re.DOTALL)
    assert block
    exec(block[1], {"torch": torch, "ttc": ttc, "np": np})
    assert capsys.readouterr().out == "3 [0.271 0.271 0.271 0.271]\n"
