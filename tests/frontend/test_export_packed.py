"""Packed sequences through torch.export: lengths are kept, whatever they are given as."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import rnn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence

from tests.frontend.exporting import agree, same
from ttc import ops
from ttc.errors import InputError, TtcError
from ttc.frontend.export import export
from ttc.ir import Input

KINDS = (nn.LSTM, nn.GRU, nn.RNN)
SORTED, UNSORTED = (7, 4, 1), (3, 7, 2)


def randn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


class Packs(nn.Module):
    """pack, a recurrence, pad; `lengths` and options as the test wants them."""

    def __init__(self, recurrence: nn.Module, lengths=None, enforce_sorted=False, **padding):
        super().__init__()
        self.recurrence, self.lengths, self.enforce_sorted, self.padding = recurrence, lengths, enforce_sorted, padding

    def forward(self, x, lengths=None, states=None):
        first = self.recurrence.batch_first
        given = self.lengths if lengths is None else lengths
        packed = pack_padded_sequence(x, given, batch_first=first, enforce_sorted=self.enforce_sorted)
        y, last = self.recurrence(packed, states)
        return pad_packed_sequence(y, batch_first=first, **self.padding), last


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("layers", "bidirectional", "batch_first", "bias"),
    [(1, True, True, True), (1, False, False, False), (2, True, False, True), (3, True, True, False)],
)
def test_layers_directions_and_biases(kind, layers, bidirectional, batch_first, bias):
    torch.manual_seed(0)
    recurrence = kind(5, 6, layers, bias=bias, batch_first=batch_first, bidirectional=bidirectional)
    x = randn(3, 7, 5) if batch_first else randn(7, 3, 5)
    agree(Packs(recurrence), x, torch.tensor(UNSORTED))


@pytest.mark.parametrize(
    ("lengths", "enforce_sorted"),
    [
        (list(SORTED), True),
        (list(UNSORTED), False),
        (UNSORTED, False),
        (np.array(UNSORTED), False),
        (torch.tensor(SORTED), True),
        (torch.tensor(UNSORTED), False),
        (torch.tensor(UNSORTED, dtype=torch.int32), False),
        ([torch.tensor(3), torch.tensor(7), 2], False),
    ],
    ids=["sorted list", "list", "tuple", "array", "sorted tensor", "tensor", "int32", "scalars"],
)
def test_lengths_that_the_model_holds(lengths, enforce_sorted):
    torch.manual_seed(1)
    agree(Packs(nn.GRU(5, 6, bidirectional=True), lengths, enforce_sorted), randn(7, 3, 5))


def test_lengths_come_in_with_each_run():
    torch.manual_seed(2)
    model = Packs(nn.LSTM(5, 6, bidirectional=True, batch_first=True), total_length=7).eval()
    x = randn(3, 7, 5)
    exported = export(model, (x, torch.tensor(UNSORTED)))
    for lengths in ((1, 1, 1), (7, 6, 5), (2, 5, 3)):
        inputs = exported.signature.flatten_inputs((x, torch.tensor(lengths)), {})
        found = exported.signature.unflatten_outputs(ops.evaluate(exported.graph, inputs))
        with torch.no_grad():
            same(found, model(x, torch.tensor(lengths)), 1e-6)


@pytest.mark.parametrize("total", [None, 7, 12])
@pytest.mark.parametrize("value", [0.0, -3.5])
@pytest.mark.parametrize("given", [True, False], ids=["input", "held"])
def test_total_length_and_padding_value(total, value, given):
    torch.manual_seed(3)
    lengths = torch.tensor(UNSORTED) if given else list(UNSORTED)
    model = Packs(nn.LSTM(5, 6, batch_first=True), None if given else lengths, total_length=total, padding_value=value)
    agree(model, randn(3, 7, 5), *([lengths] if given else []))


def test_held_lengths_shorter_than_all_steps_cut_the_rest_off():
    torch.manual_seed(4)
    agree(Packs(nn.GRU(5, 6), [3, 5, 2]), randn(9, 3, 5))


def test_given_lengths_shorter_than_all_steps_leave_padding():
    torch.manual_seed(4)
    model, x, lengths = Packs(nn.GRU(5, 6)).eval(), randn(9, 3, 5), torch.tensor([3, 5, 2])
    exported = export(model, (x, lengths))
    found = exported.signature.unflatten_outputs(ops.evaluate(exported.graph, {"x": x, "lengths": lengths}))
    model.padding["total_length"] = 9
    with torch.no_grad():
        same(found, model(x, lengths), 1e-6)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_given_states_and_projection():
    torch.manual_seed(5)
    states = randn(2, 3, 4), randn(2, 3, 6)
    agree(Packs(nn.LSTM(5, 6, bidirectional=True, proj_size=4)), randn(7, 3, 5), torch.tensor(UNSORTED), states)
    agree(Packs(nn.GRU(5, 6, 2)), randn(7, 3, 5), torch.tensor(UNSORTED), randn(2, 3, 6))


class Several(nn.Module):
    """Packed sequences that go through two recurrences as they are, and are packed again with other lengths."""

    def __init__(self):
        super().__init__()
        self.first = nn.LSTM(5, 6, bidirectional=True, batch_first=True)
        self.second = nn.GRU(12, 4, batch_first=True)
        self.third = nn.RNN(4, 3, batch_first=True, bidirectional=True)

    def forward(self, x, lengths):
        packed = rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        assert isinstance(packed, PackedSequence)
        y, _ = self.second(self.first(packed)[0])
        y, lengths = rnn.pad_packed_sequence(y, batch_first=True)
        half = (lengths + 1) // 2
        y = pack_padded_sequence(y, half, True, False)
        return rnn.pad_packed_sequence(self.third(y)[0], batch_first=True, total_length=7), half


def test_several_in_one_model():
    torch.manual_seed(6)
    exported = agree(Several(), randn(3, 7, 5), torch.tensor(UNSORTED))
    recurrences = [node.op for node in exported.graph.nodes if isinstance(node.op, ops.recurrent.Recurrence)]
    assert len(recurrences) == 3
    assert all(op.lengths is not None for op in recurrences)


def test_nothing_is_sorted_or_masked():
    model = nn.LSTM(5, 6, batch_first=True)
    plain = export(model.eval(), (randn(3, 7, 5),)).graph
    packed = export(Packs(model).eval(), (randn(3, 7, 5), torch.tensor(UNSORTED))).graph
    assert [type(n.op) for n in packed.nodes if not isinstance(n.op, Input)] == [
        type(n.op) for n in plain.nodes if not isinstance(n.op, Input)
    ]


class Sequences(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6)

    def forward(self, a, b, c):
        return pad_packed_sequence(self.gru(pack_sequence([a, b, c], enforce_sorted=False))[0])


def test_sequences_of_fixed_sizes():
    torch.manual_seed(7)
    agree(Sequences(), randn(2, 5), randn(6, 5), randn(4, 5))


class Unpacked(nn.Module):
    def forward(self, x, lengths):
        return pad_packed_sequence(pack_padded_sequence(x, lengths, enforce_sorted=False), padding_value=-1.0)


def test_packed_and_padded_without_a_recurrence():
    agree(Unpacked(), randn(7, 3), torch.tensor(UNSORTED))
    agree(Unpacked(), randn(7, 3, 2, 2), torch.tensor(UNSORTED))


# ------------------------------------------------------------ what is refused


class Rows(nn.Module):
    def __init__(self, use):
        super().__init__()
        self.use = use

    def forward(self, x, lengths):
        return self.use(pack_padded_sequence(x, lengths, enforce_sorted=False))


@pytest.mark.parametrize(
    "use",
    [
        lambda packed: packed.data + 1,
        lambda packed: torch.tanh(packed.data),
        lambda packed: packed.data.shape,
        lambda packed: packed.data.size(0),
        lambda packed: packed.batch_sizes[1],
        lambda packed: packed.batch_sizes + 1,
    ],
)
def test_rows_have_no_fixed_size(use):
    with pytest.raises(TtcError, match="no fixed size"):
        export(Rows(use).eval(), (randn(7, 3, 5), torch.tensor(UNSORTED)))


@pytest.mark.parametrize("result", [lambda packed: packed, lambda packed: packed.data])
def test_rows_cannot_be_returned(result):
    with pytest.raises(InputError, match=r"cannot export Rows: a packed sequence, .* cannot be its result"):
        export(Rows(result).eval(), (randn(7, 3, 5), torch.tensor(UNSORTED)))


@pytest.mark.parametrize(
    ("lengths", "message"),
    [([3, 7, 2], "sorted"), ([8, 4, 2], "from 1 to 7"), ([4, 2, 0], "from 1 to 7"), ([4, 2], "batch size 3")],
)
def test_lengths_that_torch_refuses_too(lengths, message):
    model = Packs(nn.GRU(5, 6), lengths, enforce_sorted=True).eval()
    with pytest.raises(RuntimeError):
        model(randn(7, 3, 5))
    with pytest.raises(InputError, match=message):
        export(model, (randn(7, 3, 5),))


def test_a_total_length_that_torch_refuses_too():
    model = Packs(nn.GRU(5, 6), [7, 4, 2], total_length=6).eval()
    with pytest.raises(ValueError, match="total_length"):
        model(randn(7, 3, 5))
    with pytest.raises(InputError, match="total_length"):
        export(model, (randn(7, 3, 5),))


# ------------------------------------------------------------ torch itself


@pytest.mark.parametrize("fails", [True, False])
def test_torch_is_as_it_was_afterwards(fails):
    class Model(nn.Module):
        def forward(self, x):
            if fails:
                raise ValueError("no")
            return x

    functions = (rnn.pack_padded_sequence, rnn.pad_packed_sequence)
    before = [*(function.__code__ for function in functions), torch._VF.lstm, torch._VF.gru]
    try:
        export(Model(), (randn(2),))
    except InputError:
        assert fails
    assert [*(function.__code__ for function in functions), torch._VF.lstm, torch._VF.gru] == before
    assert not {"lstm", "gru", "rnn_tanh", "rnn_relu"} & set(vars(torch._VF))


def test_other_threads_pack_as_ever_during_an_export():
    recurrence, lengths = nn.GRU(5, 6).eval(), torch.tensor(UNSORTED)
    x = randn(7, 3, 5)
    found = []

    def elsewhere():
        with torch.no_grad():
            found.append(pad_packed_sequence(recurrence(pack_padded_sequence(x, lengths, enforce_sorted=False))[0])[0])

    class Model(nn.Module):
        def forward(self, y):
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
            return y

    elsewhere()
    export(Model(), (randn(2),))
    assert len(found) == 2
    assert torch.equal(found[0], found[1])


def test_exports_in_two_threads_leave_torch_as_it_was():
    model, args = Packs(nn.GRU(5, 6)).eval(), (randn(7, 3, 5), torch.tensor(UNSORTED))
    before = rnn.pack_padded_sequence.__code__
    with ThreadPoolExecutor(2) as pool:
        graphs = list(pool.map(lambda _: str(export(model, args).graph), range(4)))
    assert len(set(graphs)) == 1
    assert rnn.pack_padded_sequence.__code__ is before


@pytest.mark.parametrize(("kind", "steps"), [*product(KINDS, (4, 2048))])
def test_a_recurrence_is_one_node_at_any_length(kind, steps):
    exported = export(kind(5, 6, 2, bidirectional=True).eval(), (torch.zeros(steps, 1, 5),))
    calls = [node for node in exported.program.graph.nodes if node.op == "call_function"]
    assert len(calls) <= 8
