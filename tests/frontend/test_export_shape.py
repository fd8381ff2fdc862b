import pytest
import torch

from tests.frontend.exporting import each_agrees
from ttc.errors import Refused
from ttc.frontend.export import export

torch.manual_seed(0)
X = torch.randn(2, 3, 4)
SQUARE = torch.randn(5, 5)
INDEX = torch.tensor([0, 2, 1])


def test_shapes():
    each_agrees(
        """
        x.view(6, 4)
        x.reshape(-1)
        x.reshape(3, -1, 2)
        x.permute(2, 0, 1)
        x.transpose(0, 1)
        x.mT
        x[0].t()
        x.unsqueeze(1)
        x.unsqueeze(-1)
        x[:, None].squeeze(1)
        x[:1].squeeze()
        x[:1].squeeze(0)
        x.flatten(1)
        x.unflatten(2, (2, 2))
        x.expand(5, 2, 3, 4)
        x[:1].expand(6, -1, -1)
        torch.broadcast_to(x, (2, 2, 3, 4))
        x.view_as(x)
        x.movedim(0, 2)
        x.swapaxes(0, 2)
        x.contiguous()
        torch.atleast_2d(x[0, 0])
        x.sum().reshape(1)
        x.sum().unsqueeze(0)
        """,
        x=X,
    )


def test_parts():
    each_agrees(
        """
        x[:, 1]
        x[0]
        x[-1]
        x[..., -1]
        x[:, 1:]
        x[:, -2:]
        x[:, :-1]
        x[:, ::2]
        x[..., 1:3]
        x[:, 5:]
        x.select(1, -1)
        x.narrow(1, 1, 2)
        x.unbind(1)
        x.split(2, 2)
        x.split(3, 2)
        x.split([1, 2], 1)
        x.chunk(2, -1)
        x.chunk(3, 2)
        x.tensor_split(2, 1)
        x.unfold(1, 2, 1)
        x.unfold(-1, 2, 2)
        x.diff()
        x.diff(n=2, dim=1)
        """,
        x=X,
    )


def test_joining_and_repeating():
    each_agrees(
        """
        torch.cat([x, x * 2], 1)
        torch.cat([torch.zeros(0), x[0, 0]])
        torch.stack([x, x], -1)
        torch.stack([x, x * 2])
        torch.hstack([x, x])
        torch.vstack([x, x])
        x.flip(1)
        x.flip((0, 2))
        x.roll(1, 1)
        x.roll(2)
        x.roll((1, -1), (0, 2))
        x.rot90(1, (0, 1))
        x.repeat(2, 1, 1, 3)
        x.tile(2)
        x.repeat_interleave(2, 1)
        x.repeat_interleave(3)
        """,
        x=X,
    )


def test_padding():
    each_agrees(
        """
        F.pad(x, (1, 2))
        F.pad(x, (1, 2, 0, 3), value=5)
        F.pad(x, (-1, 2))
        F.pad(x, (0, 0))
        F.pad(x > 0, (1, 2))
        F.pad(x, (1, 1), mode="reflect")
        F.pad(x, (2, 1), mode="replicate")
        F.pad(x, (-3, 2), mode="replicate")
        F.pad(x, (1, 2), mode="circular")
        F.pad(x[None], (1, 2, 1, 0), mode="circular")
        F.pixel_shuffle(x.repeat(1, 4, 1).reshape(2, 4, 3, 4), 2)
        F.pixel_unshuffle(x[:, :2], 2)
        """,
        x=X,
    )


def test_nothing_is_left_to_replicate():
    with pytest.raises(Refused, match="cannot replicate 0, 5 of 0 elements"):
        each_agrees('F.pad(x, (-4, 5), mode="replicate")', x=X)
    each_agrees('F.pad(x[:0], (1, 1), mode="replicate")', x=X)


def test_made_from_numbers():
    each_agrees(
        """
        torch.arange(5)
        torch.arange(1, 3, 0.5)
        torch.arange(2, 9, 3)
        torch.arange(70)
        torch.tril_indices(3, 5, -1)
        torch.triu_indices(4, 3, 1)
        torch.fft.fftfreq(7)
        torch.fft.fftfreq(8, 0.1)
        torch.fft.rfftfreq(8, d=0.1)
        torch.zeros(2, 3)
        torch.ones_like(x)
        torch.zeros_like(x, dtype=torch.int64)
        torch.full((2,), 3.5)
        torch.full((2,), 3)
        torch.full_like(x, 7)
        x.new_zeros(3)
        x.new_ones(3)
        x.new_full((2,), True, dtype=torch.bool)
        torch.empty(2).fill_(3.0)
        torch.eye(3)
        torch.eye(2, 3)
        torch.linspace(0, 1, 5)
        torch.scalar_tensor(2.0)
        torch.tensor(3.5) * x
        torch.tensor([1, 2, 3])
        torch.tril(x)
        torch.triu(x, 1)
        torch.tril(torch.ones(4, 4))
        torch.meshgrid(torch.arange(2), torch.arange(3), indexing="ij")
        torch.meshgrid(torch.arange(2), torch.arange(3), torch.arange(4), indexing="xy")
        """,
        x=X,
    )


def test_lookups():
    each_agrees(
        """
        x[:, i]
        x[:, :, i]
        x[i.clamp(0, 1)]
        s[i, i]
        s[i[:, None], i]
        s[-i]
        x[0, i]
        x[:, i, i]
        x[i.clamp(0, 1), :, i]
        x[:, [0, -1]]
        x[torch.arange(2), x.argmax(1)[:, 0]]
        torch.index_select(x, 1, i)
        torch.gather(s, 1, i[:, None].expand(3, 2))
        torch.take_along_dim(s[:3], i[:, None], 1)
        F.one_hot(i, 5)
        F.embedding(i, s)
        F.embedding(i[:, None], s, padding_idx=0)
        """,
        x=X,
        i=INDEX,
        s=SQUARE,
    )


def test_scatters():
    each_agrees(
        """
        s.scatter(1, i[:, None], 1.0)
        s.scatter(1, i[:, None], torch.ones(5, 5))
        s.scatter_add(0, i[None], torch.ones(1, 3))
        s.index_add(0, i, torch.ones(3, 5))
        s.index_copy(0, i, torch.ones(3, 5))
        s.index_put((i,), torch.ones(5))
        s.index_put((i, i), torch.ones(3), accumulate=True)
        s.slice_scatter(torch.ones(2, 5), 0, 1, 3)
        s.select_scatter(torch.ones(5), 1, -1)
        """,
        i=INDEX,
        s=SQUARE,
    )


class Assigns(torch.nn.Module):
    def forward(self, x, i, s):
        a, b, c, d, e, f = x.clone(), x.clone(), x.clone(), s.clone(), s.clone(), s.clone()
        a[:, 1] = 0.0
        b[:, 1:3] = 7.0
        c[c > 0] = 0.0
        d[i] = torch.ones(3, 5)
        e[:, i] = 3.0
        f[i, i] = torch.arange(3.0)
        s = s.add_(1).mul_(2)
        return a, b, c, d, e, f, s.clone()


class AssignsByMask(torch.nn.Module):
    def forward(self, x, rows, places, row, column):
        a, b, c, d, e, f = (x.clone() for _ in range(6))
        a[rows] = row  # one row for all that are chosen
        b[rows] = column[0, 0, :1] * 2
        c[:, places] = column
        d[:, places] = column[0]
        e[x > 0] = row[:1, :1].reshape(())
        f[:, :, row[0] > 0] = 0.5
        g = x.index_put((rows,), row, accumulate=True)
        return a, b, c, d, e, f, g


def test_assignments_by_a_mask_of_values_that_are_alike_in_each_place():
    from tests.frontend.exporting import agree

    torch.manual_seed(3)
    x, row = torch.randn(2, 3, 4), torch.randn(1, 4)
    agree(AssignsByMask(), x, torch.tensor([True, False]), torch.tensor([True, False, True]), row, torch.randn(2, 1, 4))


def test_values_of_their_own_for_each_chosen_row_are_refused():
    class Assigns(torch.nn.Module):
        def forward(self, x, mask, rows):
            return x.index_put((mask,), rows)

    with pytest.raises(Refused, match="selecting by a boolean mask gives a size that depends on data"):
        export(Assigns(), (torch.randn(3, 4), torch.tensor([True, False, True]), torch.randn(2, 4)))


def test_assignments_in_place_become_new_values():
    from tests.frontend.exporting import agree

    class Own(Assigns):
        def forward(self, x, i, s):
            return super().forward(x, i, s + 0)

    agree(Own(), X, INDEX, SQUARE)
