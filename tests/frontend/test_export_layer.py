import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.frontend.exporting import agree, each_agrees
from ttc.errors import Refused

torch.manual_seed(0)
X, Y = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
SQUARE = torch.randn(5, 5)
IMAGE = torch.randn(2, 4, 7, 9)
Q = torch.randn(2, 4, 5, 8)


def text(module, *args):
    return str(agree(module, *args).graph)


def test_products():
    each_agrees(
        """
        x @ y.mT
        x @ y[0].T
        x @ y[0, 0]
        s[0] @ s
        s[0] @ s[1]
        torch.bmm(x, y.mT)
        torch.mm(s, s)
        torch.matmul(s.expand(3, 1, 5, 5), s.expand(1, 2, 5, 5))
        torch.addmm(s, s, s, beta=0.5, alpha=2)
        torch.addmm(s[0], s, s)
        torch.baddbmm(x @ y.mT, x, y.mT)
        torch.addbmm(s[:3, :3], x, y.mT, beta=0.5, alpha=2)
        torch.addbmm(s[:3, :3], x, y.mT, beta=0)
        torch.inner(s, s)
        torch.inner(x, y)
        torch.inner(x, y[0, 0])
        torch.inner(y[0, 0], x)
        torch.inner(s[0], s[1])
        torch.inner(s[0, 0], x)
        torch.inner(x, s[0, 0])
        torch.outer(s[0], s[1])
        torch.dot(s[0], s[1])
        torch.mv(s, s[0])
        torch.tensordot(x, y, ([2], [2]))
        F.linear(x, y[0])
        F.linear(x, y[0], torch.ones(3))
        F.linear(x, y[0, 0])
        F.bilinear(x, y, torch.ones(2, 4, 4))
        """,
        x=X,
        y=Y,
        s=SQUARE,
    )


def test_einsum():
    each_agrees(
        """
        torch.einsum("bij,bkj->bik", x, y)
        torch.einsum("bij,bkj", x, y)
        torch.einsum("ij,jk->ik", s, s)
        torch.einsum("ij,ij", s, s)
        torch.einsum("bij->bji", x)
        torch.einsum("bij->i", x)
        torch.einsum("bij,bij->b", x, y)
        torch.einsum("i,j->ij", s[0], s[1])
        torch.einsum("bij,jk,kl->bil", x, torch.ones(4, 4), torch.ones(4, 2))
        torch.einsum("...ij,...kj->...ik", x, y)
        torch.einsum("...i,i->...", x, x[0, 0])
        torch.einsum("bhid,bhjd->bhij", s.expand(2, 3, 5, 5), s.expand(2, 3, 5, 5))
        torch.einsum("bij,bjk->bki", x, y.mT)
        torch.einsum("ii->i", s / torch.eye(5))
        torch.einsum("ii", s / torch.eye(5))
        torch.einsum("iij,jk->ik", s.expand(5, 5, 5), s)
        torch.einsum("iii", s.expand(5, 5, 5))
        """,
        x=X,
        y=Y,
        s=SQUARE,
    )


def test_norms_and_softmax():
    each_agrees(
        """
        F.layer_norm(x, (9,))
        F.layer_norm(x, (7, 9), torch.ones(7, 9) * 2)
        F.rms_norm(x, (9,))
        F.rms_norm(x, (7, 9), torch.ones(7, 9) * 2, eps=1e-3)
        F.group_norm(x, 2)
        F.group_norm(x, 2, torch.ones(4) * 2, torch.ones(4))
        F.instance_norm(x)
        F.instance_norm(x, weight=torch.ones(4) * 3)
        F.instance_norm(x[0])
        F.batch_norm(x, torch.ones(4), torch.ones(4) * 2)
        F.local_response_norm(x, 3)
        F.softmax(x, 1)
        F.log_softmax(x, -1)
        F.softmax(x, -1, dtype=torch.float64)
        F.normalize(x)
        """,
        x=IMAGE,
    )


def test_norms_of_bfloat16_with_parameters_of_float32():
    each_agrees(
        """
        F.layer_norm(x, (9,), torch.full((9,), 1.003), torch.ones(9))
        F.layer_norm(x, (9,), torch.full((9,), 1.003))
        F.layer_norm(x, (9,), torch.ones(9, dtype=torch.bfloat16))
        F.group_norm(x, 2, torch.full((4,), 1.003), torch.ones(4))
        """,
        x=IMAGE.bfloat16(),
    )


def test_attention():
    each_agrees(
        """
        F.scaled_dot_product_attention(q, q, q)
        F.scaled_dot_product_attention(q, q, q, is_causal=True)
        F.scaled_dot_product_attention(q, q, q, scale=0.3)
        F.scaled_dot_product_attention(q, q, q, torch.ones(5, 5).tril().bool())
        F.scaled_dot_product_attention(q, q, q, torch.ones(5, 5).triu().bool())
        F.scaled_dot_product_attention(q, q, q, torch.ones(5, 5, dtype=torch.bool))
        F.scaled_dot_product_attention(q, q, q, torch.zeros(5, 5))
        F.scaled_dot_product_attention(q, q, q, torch.full((5, 5), -3e38).triu(1))
        F.scaled_dot_product_attention(q, q, q, q[:, :1, :, :5])
        F.scaled_dot_product_attention(q, q, q, q[:, :1, :1, :5] > -1)
        F.scaled_dot_product_attention(q, q[:, :2], q[:, :2], enable_gqa=True)
        F.scaled_dot_product_attention(q[0], q[0, :2], q[0, :2], enable_gqa=True)
        F.scaled_dot_product_attention(q[0], q[0], q[0])
        F.scaled_dot_product_attention(q[0], q[0], q[0], q[0, :, :1, :5] > -1)
        F.scaled_dot_product_attention(q[0, 0], q[0, 0], q[0, 0])
        F.scaled_dot_product_attention(q[None], q[None], q[None], q[None, :, :1, :, :5])
        F.scaled_dot_product_attention(q, q[:, :, :3], q[:, :, :3, :4])
        F.scaled_dot_product_attention(q, q[:, :1], q[:, :1])
        """,
        q=Q,
    )


class Attention(nn.Module):
    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, q):
        size = q.shape[-2]
        rows, columns = torch.arange(size)[:, None], torch.arange(size)[None]
        return F.scaled_dot_product_attention(q, q, q, self.mask(rows, columns))


def test_masks_of_positions_are_read_when_compiling():
    assert "mask" not in text(Attention(lambda i, j: (i >= 0) & (j >= 0)), Q)
    causal = text(Attention(lambda i, j: j <= i), Q)
    assert "causal=true" in causal
    assert "mask" not in causal
    window = text(Attention(lambda i, j: (j <= i) & (i - j < 3)), Q)
    assert "mask=" in window
    assert "causal" not in window


def test_a_causal_mask_too_large_to_be_folded_is_still_seen():
    q = torch.randn(1, 1, 1100, 8)
    assert "causal=true" in text(Attention(lambda i, j: j <= i), q)


def test_pools():
    each_agrees(
        """
        F.max_pool2d(x, 2)
        F.max_pool2d(x, 3, 2, 1)
        F.max_pool2d(x, (3, 2), (2, 1), (1, 0))
        F.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        F.max_pool2d(x, 2, dilation=2)
        F.max_pool2d(x[0], 2)
        F.max_pool2d(x, [3], [2], [1], [1], True)
        F.max_pool2d(x[0], [2], padding=[1, 0], return_indices=True)
        F.avg_pool2d(x, [3], [2], [1, 0])
        F.avg_pool3d(x, [2], [2], [0, 0, 1], divisor_override=3)
        F.max_pool2d(x, 2, return_indices=True)[0]
        F.max_pool1d(x[0], 2)
        F.max_pool3d(x[None], (2, 2, 2))
        F.avg_pool2d(x, 2)
        F.avg_pool2d(x, 3, 2, 1)
        F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        F.avg_pool2d(x, 3, 2, 1, ceil_mode=True)
        F.avg_pool1d(x[0], 2)
        F.avg_pool3d(x[None], 2)
        F.adaptive_avg_pool2d(x, 1)
        F.adaptive_avg_pool2d(x, (1, 3))
        F.adaptive_avg_pool2d(x, (7, 3))
        F.adaptive_avg_pool2d(x, (3, 4))
        F.adaptive_avg_pool2d(x, (None, 3))
        F.adaptive_avg_pool1d(x[0], 1)
        F.adaptive_max_pool2d(x, (1, 3))
        F.adaptive_max_pool2d(x, (3, 4))
        F.adaptive_max_pool2d(x, (9, 11))
        F.adaptive_max_pool1d(-x[0].abs(), 4)
        F.adaptive_avg_pool2d(x, (0, 3))
        F.adaptive_max_pool2d(x, (3, 0), return_indices=True)
        """,
        x=IMAGE,
    )


def test_convolutions():
    each_agrees(
        """
        F.conv2d(x, torch.ones(6, 4, 3, 3), torch.ones(6))
        F.conv2d(x, torch.ones(4, 1, 3, 3), None, 2, 1, 1, 4)
        F.conv2d(x, torch.ones(4, 4, 3, 3), padding="same")
        F.conv2d(x, torch.ones(4, 4, 2, 2), padding="same", dilation=2)
        F.conv2d(x[0], torch.ones(4, 4, 2, 2), padding="valid")
        F.conv1d(x[0], torch.ones(3, 7, 2))
        F.conv3d(x[None], torch.ones(3, 2, 2, 2, 2))
        F.conv_transpose1d(x[0], torch.ones(7, 2, 4), torch.ones(2), 2)
        F.conv_transpose1d(x[0, 0], torch.ones(7, 2, 4))
        F.conv_transpose2d(x, torch.ones(4, 3, 3, 3), None, 2, 1, 1)
        F.conv_transpose2d(x, torch.ones(4, 3, 3, 3), None, 2, (1, 0), 0, 2, 2)
        F.conv_transpose3d(x[None], torch.ones(2, 2, 2, 2, 2))
        """,
        x=IMAGE,
    )


def test_reductions():
    each_agrees(
        """
        x.sum()
        x.sum(1)
        x.sum((0, 2), keepdim=True)
        x.sum(dtype=torch.float64)
        x.mean(-1)
        x.mean()
        x.amax(1)
        x.amin((0, 1))
        x.max()
        x.min()
        x.max(1)
        x.max(1, keepdim=True).values
        x.min(2)
        x.argmax()
        x.argmax(1)
        x.argmin(2, keepdim=True)
        x.prod(1)
        x.var()
        x.var(1)
        x.std(1, unbiased=False)
        x.std((0, 1), keepdim=True)
        torch.var_mean(x, 1)
        torch.std_mean(x, 2)
        x.norm()
        x.norm(1, 1)
        x.norm(float("inf"), 2)
        torch.linalg.vector_norm(x, 3, dim=1)
        torch.linalg.norm(x, dim=-1)
        torch.linalg.norm(x)
        torch.logsumexp(x, 1)
        torch.logsumexp(x, (0, 1), keepdim=True)
        (x > 0).any()
        (x > 0).any(1)
        (x > 0).all(2, keepdim=True)
        x.any(1)
        torch.all(x > 0)
        x.cumsum(1)
        x.topk(2)
        x.topk(2, 1, largest=False)
        x.sort(1)
        x.sort(stable=False, dim=1, descending=True)
        x.argsort(2, descending=True)
        F.cosine_similarity(x, x + 1)
        F.cosine_similarity(x, x * 2, dim=-1)
        """,
        x=X,
    )


def test_a_stable_sort_is_refused():
    with pytest.raises(Refused, match="a stable sort is not supported"):
        each_agrees("x.sort(stable=True, dim=1)", x=X)
    with pytest.raises(Refused, match="a stable sort is not supported"):
        each_agrees("x.argsort(stable=True, dim=1)", x=X)
    each_agrees("x.argsort(stable=False, dim=1, descending=True)", x=X)


def test_reductions_of_no_elements():
    each_agrees(
        """
        torch.linalg.norm(x, 1, keepdim=True)
        torch.linalg.norm(x, float("inf"))
        torch.linalg.norm(s[:, :0], 1)
        torch.linalg.norm(s[:0], float("inf"))
        x.sum(), x.prod(1)
        x.any(), x.all(), x.any(1), x.all(0, keepdim=True)
        s.any([]), s[0, 0].norm(0), s[0, 0].norm(3.0)
        s[:0].any(1), s[:0].all(0)
        s[:0].amax(1), s[:0].amin(1)
        """,
        x=X[0, :0, :0],
        s=SQUARE,
    )


def test_a_tensor_where_a_number_is_read_is_refused():
    with pytest.raises(Refused, match=r"aten\.linspace\.Tensor_Scalar is not supported in this form"):
        each_agrees("torch.linspace(x[0, 0, 0], 2, 5)", x=X)


def test_weight_norm_and_a_transposed_convolution_of_a_vocoder():
    conv = nn.utils.parametrizations.weight_norm(nn.ConvTranspose1d(4, 6, 4, 2, 1))
    agree(conv, torch.randn(1, 4, 10))


def test_layers_of_torch_agree():
    agree(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), torch.randn(1, 4, 16))
    agree(nn.MultiheadAttention(16, 2, batch_first=True), *[torch.randn(2, 4, 16)] * 3)
    agree(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()), torch.randn(1, 3, 8, 8))
    agree(nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 4), nn.Identity()), torch.randn(2, 4))


def test_blocks_and_pools_with_a_divisor():
    each_agrees(
        """
        F.fold(F.unfold(x, 3), (7, 9), 3)
        F.fold(F.unfold(x, (2, 3), dilation=(1, 2), padding=1, stride=2), (7, 9), (2, 3), (1, 2), 1, 2)
        F.fold(F.unfold(x, 2)[0], (7, 9), 2)
        F.avg_pool2d(x, 2, divisor_override=3)
        F.avg_pool2d(x, 3, 2, 1, divisor_override=5)
        F.avg_pool2d(x, 3, 2, 1, count_include_pad=False, divisor_override=5)
        F.avg_pool2d(x, (2, 4), 3, (1, 2), ceil_mode=True, divisor_override=3)
        F.avg_pool2d(x[0], 2, 3, divisor_override=-2)
        F.avg_pool3d(x, 2, ceil_mode=True, divisor_override=7)
        """,
        x=IMAGE,
    )


def test_diagonals_determinants_and_norms_of_matrices():
    each_agrees(
        """
        torch.diagonal(x, 0, 1, 2)
        torch.diagonal(x, 2, 2, 0)
        torch.diagonal(x, -1, 1, 2)
        torch.diagonal(x, 4, 1, 2)
        torch.diag(s)
        torch.diag(s[0], 1)
        torch.diag_embed(x[0])
        torch.diagonal_scatter(x, y[:, 0, :3], 0, 1, 2)
        torch.diagonal_scatter(x, y[0, :, :2], -1, 2, 0)
        torch.diagonal_scatter(s, s[0, :3], -2)
        torch.diagonal_scatter(s[:, :3], s[0, :2], 1)
        torch.diagonal_scatter(s[:3], s[0, :3])
        torch.diagonal_scatter(s[:3], s[0, :3], 2)
        torch.diagonal_scatter(s[:, :3], s[0, :3], -2)
        torch.det(s[:4, :4])
        torch.linalg.det(x[:, :3, :3])
        torch.linalg.norm(s, "fro")
        torch.linalg.norm(s, 1)
        torch.linalg.norm(x, float("inf"), (1, 2), keepdim=True)
        torch.linalg.norm(x, -1, (2, 0))
        torch.dist(x, y)
        torch.dist(x, y, 1)
        """,
        x=X,
        y=Y,
        s=SQUARE,
    )


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5), (2, 3, 4, 5), (1, 3, 1, 2)])
def test_batch_norm_without_statistics(affine: bool, shape: tuple[int, ...]):
    """The batch's own means and variances, in eval mode too."""
    torch.manual_seed(0)
    kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}[len(shape)]
    norm = kind(3, affine=affine, track_running_stats=False)
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    agree(norm.eval(), torch.randn(shape) + 3)
