from itertools import product

import pytest
import torch
from torch import nn

from tests.frontend.exporting import agree
from ttc import ops
from ttc.errors import Refused
from ttc.frontend.export import export


def randn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize(("layers", "bidirectional", "batch_first"), [*product((1, 3), (False, True), (False, True))])
def test_layers_directions_and_batch_first(kind, layers, bidirectional, batch_first):
    torch.manual_seed(0)
    agree(kind(5, 6, layers, bidirectional=bidirectional, batch_first=batch_first), randn(3, 4, 5))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_without_biases(kind):
    torch.manual_seed(1)
    agree(kind(5, 6, bias=False, bidirectional=True), randn(3, 4, 5))


@pytest.mark.parametrize("kind", [nn.GRU, nn.RNN])
def test_given_state(kind):
    torch.manual_seed(2)
    exported = agree(kind(5, 6, 2, bidirectional=True), randn(3, 4, 5), randn(4, 4, 6))
    recurrences = [node.op for node in exported.graph.nodes if isinstance(node.op, (ops.Gru, ops.Rnn))]
    assert len(recurrences) == 2
    assert all(op.h is not None for op in recurrences)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_given_states_of_an_lstm_and_projection():
    torch.manual_seed(3)
    model = nn.LSTM(5, 6, 2, proj_size=3, bidirectional=True, batch_first=True)
    agree(model, randn(3, 4, 5), (randn(4, 3, 3), randn(4, 3, 6)))
    agree(model, randn(3, 4, 5))


def test_zero_states_are_left_out():
    exported = agree(nn.LSTM(5, 6), randn(3, 4, 5))
    (lstm,) = (node.op for node in exported.graph.nodes if isinstance(node.op, ops.Lstm))
    assert lstm.h is None
    assert lstm.c is None


def test_relu_and_one_sample_without_batch():
    torch.manual_seed(4)
    agree(nn.RNN(5, 6, nonlinearity="relu"), randn(3, 5))


def test_cells_are_composed():
    torch.manual_seed(5)
    agree(nn.LSTMCell(5, 6), randn(4, 5), (randn(4, 6), randn(4, 6)))
    agree(nn.GRUCell(5, 6), randn(4, 5), randn(4, 6))
    agree(nn.RNNCell(5, 6), randn(4, 5), randn(4, 6))


def test_dropout_between_layers_when_training():
    class Trains(nn.Module):
        def forward(self, x, h, w, r, w1, r1):
            return torch.gru(x, h, [w, r, w1, r1], False, 2, 0.5, True, False, False)

    with pytest.raises(Refused, match="training mode"):
        export(Trains().eval(), (randn(3, 4, 5), randn(2, 4, 6), *(randn(18, n) for n in (5, 6, 6, 6))))
