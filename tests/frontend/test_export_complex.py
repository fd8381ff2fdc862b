import pytest
import torch

from tests.frontend.exporting import agree, each_agrees
from ttc.errors import Refused
from ttc.frontend.export import export
from ttc.ir import Const

X, Y = torch.randn(2, 3, 4, 2, generator=torch.Generator().manual_seed(0)), torch.linspace(0.5, 2, 24).reshape(3, 4, 2)


def test_arithmetic():
    z, w = "torch.view_as_complex(x)", "torch.view_as_complex(y)"
    each_agrees(
        "\n".join(
            f"torch.view_as_real({line})"
            for line in (
                f"{z} * {w}",
                f"{z} * 3",
                f"{z} * (1 - 2j) + 3j",
                "y[..., 0] * 2j",
                f"1 / {z}",
                f"2 * {z} + y[..., 0]",
                f"y[..., 1] - {z}",
                f"{z} / {w}",
                f"{z} / y[..., 0]",
                f"torch.add({z}, {w}, alpha=2)",
                f"-{z}.conj() * {w}",
                "torch.polar(y[..., 0], x[..., 1])",
                "torch.complex(x[..., 0], y[..., 1])",
                f"x[..., 0].to(torch.complex64) * {w}",
                f"{z}.mean(1) + {z}.sum((0, 1))",
            )
        ),
        x=X,
        y=Y,
    )


def test_real_results():
    z = "torch.view_as_complex(x)"
    each_agrees(f"{z}.abs()\n{z}.angle()\n{z}.real\n{z}.imag\n({z} * {z}.conj()).real", x=X, y=Y)


def test_movement():
    z = "torch.view_as_complex(x)"
    moved = (
        f"{z}.transpose(0, 2)",
        f"{z}.reshape(6, 4)[1:5, ::2]",
        f"torch.cat([{z}, 2 * {z}], 1).flatten(1)",
        f"torch.stack({z}.split(2, 2))",
        f"{z}[:, torch.tensor([2, 0])].unsqueeze(1).expand(2, 5, 2, 4)",
    )
    each_agrees("\n".join(f"torch.view_as_real({line})" for line in moved), x=X)


class Rotation(torch.nn.Module):
    """A rotary embedding with its table as a complex buffer, and a complex constant."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.polar(torch.ones(3, 4), torch.arange(12.0).reshape(3, 4)))
        self.constant = torch.tensor([1 + 2j, 3 - 1j, 0.5j, 1.0])

    def forward(self, x):
        return torch.view_as_real(torch.view_as_complex(x) * self.table + self.constant)


def test_buffers_and_constants():
    exported = agree(Rotation(), X)
    assert {node.op.ref for node in exported.graph.nodes if isinstance(node.op, Const)} >= {"table.real", "table.imag"}
    assert not exported.graph.weights.fake


class Returns(torch.nn.Module):
    def forward(self, x):
        return torch.view_as_complex(x) if not x.is_complex() else x * 2


def test_complex_inputs_and_results_are_refused():
    with pytest.raises(Refused, match=r"a complex result: return torch\.view_as_real of it instead"):
        export(Returns(), (X,))
    with pytest.raises(Refused, match=r"the input x is complex: pass torch\.view_as_real of it instead"):
        export(Returns(), (torch.view_as_complex(X),))


def test_what_complex_numbers_cannot_do_is_refused_by_name():
    class Tangent(torch.nn.Module):
        def forward(self, x):
            return torch.view_as_real(torch.view_as_complex(x).tan())

    with pytest.raises(Refused, match=r"aten\.tan\.default of complex numbers is not supported"):
        export(Tangent(), (X,))


class Interleaved(torch.nn.Module):
    """Assigns to every `step`-th position from `start` of a dimension of 7."""

    def __init__(self, start: int, step: int):
        super().__init__()
        self.start, self.step = start, step

    def forward(self, x, y):
        x = x.clone()
        x[:, self.start :: self.step] = y[:, : len(range(self.start, 7, self.step))]
        return x


@pytest.mark.parametrize(("start", "step"), [(0, 2), (1, 2), (4, 2), (2, 3), (0, 6), (5, 3)])
def test_assignment_to_every_nth_position(start: int, step: int):
    agree(Interleaved(start, step), torch.randn(2, 7, 3), torch.randn(2, 7, 3))
