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


def test_real_numbers_among_complex_ones_have_no_imaginary_part():
    z, w, r = "torch.view_as_complex(x)", "torch.view_as_complex(y)", "y[..., 0]"
    mixed = (
        f"torch.cat([{z}[0], {r}, torch.ones(3, 4, dtype=torch.int64)], 1)",
        f"torch.stack([{r} + 0j, {w}])",
        f"torch.constant_pad_nd({z}, (1, 2), 3.5)",
        f"torch.constant_pad_nd({z}, (1, 2), 3)",
        f"torch.nn.functional.pad({z}, (-1, 2, 1, 0), value=-2.0)",
        f"torch.nn.functional.pad({z}, (1, 2), mode='reflect')",
        f"torch.nn.functional.pad({z}, (1, 2), mode='circular')",
        f"torch.where({r} > 1, {z}, {r})",
        f"torch.where({r} > 1, {w}, 2)",
        f"{z}.masked_fill({r} > 1, 2.5)",
        f"{z}.masked_fill({r} > 1, 2 - 1j)",
        f"{z}.slice_scatter({r}[None].expand(2, 3, 4)[..., :2], 2, 1, 3)",
        f"{z}.select_scatter({r}, 0, 1)",
        f"{z}.index_put((torch.tensor([1]),), {w})",
        f"{z}.scatter(0, torch.tensor([[[1, 0, 1, 1]]]), {w}[None])",
        f"torch.zeros(3, 4, dtype=torch.complex64) + {z}.new_zeros(3, 4) + torch.zeros_like({w}) + {w}",
        f"torch.ones_like({z}) * torch.full((4,), 1 + 2j) + torch.full_like({z}, 2) * {z}.new_ones(4)",
        f"torch.empty_like({w}).copy_({r})",
        f"torch.fill({w}, torch.tensor(2.5)) + torch.fill({w}, torch.tensor(1 - 2j))",
    )
    each_agrees("\n".join(f"torch.view_as_real({line})" for line in mixed), x=X, y=Y)


@pytest.mark.filterwarnings("ignore:Casting complex values to real")
def test_a_real_number_made_of_a_complex_one_is_its_real_part():
    z = "torch.view_as_complex(x)"
    each_agrees(
        f"{z}.to(torch.float32) * 2\n({z} * 3).to(torch.int64)\ntorch.zeros(2, 3, 4).copy_({z}) + 1\n"
        f"torch.view_as_real({z}.to(torch.float64).to(torch.complex64))\n{z}.to(torch.complex128).real",
        x=X,
    )


def test_the_truth_of_a_complex_number_is_refused():
    class Truth(torch.nn.Module):
        def forward(self, x):
            return torch.view_as_complex(x).bool()

    with pytest.raises(Refused, match="a complex number is cast to bool: compare its absolute value with 0"):
        export(Truth(), (X,))


def test_products():
    z, w, r = "torch.view_as_complex(x)[0]", "torch.view_as_complex(y)", "y[..., 0]"
    products = (
        f"{z} @ {w}.mT",
        f"{z} @ {w}.mH",
        f"{z} @ {r}.mT.to(torch.complex64)",
        f"torch.bmm({z}[None], {w}.mT[None])",
        f"({z} @ {w}[0])[:, None]",
        f"torch.vdot({z}[0], {w}[0])[None]",
        f"torch.nn.functional.linear({z}, {w}, {z}[:, 0])",
        f"torch.addmm({z}[:, :3], {z}, {w}.mT, beta=2, alpha=1 - 1j)",
        f"torch.addmm({z}[:, :3], {z}, {w}.mT, beta=0)",
        f"torch.einsum('ij,kj->ik', {z}, {w})",
        f"torch.einsum('ij,ij,ik->jk', {z}, {w}.conj(), {z} + 1j)",
        f"torch.einsum('ij->j', {z})",
        f"{z}.square() + (2 - {z}) + {z}.cumsum(1) + {z}.triu()",
    )
    each_agrees("\n".join(f"torch.view_as_real({line})" for line in products), x=X, y=Y)


class Spectral(torch.nn.Module):
    """A layer of a Fourier neural operator: the lowest frequencies times weights, all others zero."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(2, 5, 2, 2, dtype=torch.complex64))

    def forward(self, x):
        spectrum = torch.fft.rfft2(x)
        mixed = torch.zeros(x.shape[0], 5, *spectrum.shape[-2:], dtype=torch.cfloat)
        mixed[:, :, :2, :2] = torch.einsum("bixy,ioxy->boxy", spectrum[:, :, :2, :2], self.weight)
        return torch.fft.irfft2(mixed, s=x.shape[-2:])


class DiagonalKernel(torch.nn.Module):
    """The kernel of a diagonal state space of complex modes (S4D), over 6 steps."""

    def __init__(self):
        super().__init__()
        self.mix = torch.nn.Parameter(torch.randn(3, 4, dtype=torch.complex64))

    def forward(self, rate):
        mode = torch.complex(-rate, torch.arange(4.0).expand(3, 4))
        return 2 * torch.einsum("hn,hnl->hl", self.mix, torch.exp(mode[..., None] * torch.arange(6))).real


def test_layers_on_spectra_and_modes():
    agree(Spectral(), torch.randn(3, 2, 6, 8))
    agree(DiagonalKernel(), torch.rand(3, 4))


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
