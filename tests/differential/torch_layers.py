"""Recipes of products, convolutions, pools, norms, attention, recurrences and resampling."""

from __future__ import annotations

from tests.differential.draw import Draw, Skip, Var
from tests.differential.torch_recipes import recipe, templates


def call(layer: str, *operands: object) -> str:
    return f"{layer}({', '.join(map(str, operands))})"


@recipe("matmul")
def matmul(d: Draw) -> str:
    x = d.x("f32", (1, 5))
    inner = x.shape[-1]
    lead = d.pick((), x.shape[:-2], tuple(d.pick(1, size) for size in x.shape[:-2]))
    shape = d.pick((inner,), (*lead, inner, d.pick(1, 3, 8, 33)))
    return d.pick(f"torch.matmul({x}, {d.given('float32', shape)})", f"{x} @ {d.given('float32', shape)}")


@recipe("matmul of itself")
def matmul_self(d: Draw) -> str:
    x = d.x("f32", (2, 5))
    return f"torch.matmul({x}, {x}.mT)"


@recipe("mm", "bmm", "addmm", "baddbmm", "mv", "dot", "outer", "addmv", "inner")
def product(d: Draw) -> str:
    x = d.x("f32", (1, 3))
    columns = d.pick(1, 2, 7, 32)
    if x.rank == 1:
        y = d.given("float32", x.shape)
        return d.pick(
            f"torch.dot({x}, {y})",
            f"torch.vdot({x}, {y})",
            f"torch.inner({x}, {y})",
            f"torch.outer({x}, {d.x('f32', 1)})",
            f"torch.ger({x}, {d.x('f32', 1)})",
        )
    if x.rank == 2:
        y = d.given("float32", (x.shape[1], columns))
        bias = d.given("float32", d.pick((columns,), (1, columns), (x.shape[0], columns), (1,)))
        v = d.given("float32", (x.shape[1],))
        return d.pick(
            f"torch.mm({x}, {y})",
            f"torch.addmm({bias}, {x}, {y}, beta={d.pick(1, 0.5, 0)}, alpha={d.pick(1, 2)})",
            f"torch.mv({x}, {v})",
            f"torch.addmv({d.given('float32', (x.shape[0],))}, {x}, {v})",
            f"torch.inner({x}, {d.given('float32', (3, x.shape[1]))})",
        )
    y = d.given("float32", (x.shape[0], x.shape[2], columns))
    bias = d.given("float32", (x.shape[0], x.shape[1], columns))
    return d.pick(f"torch.bmm({x}, {y})", f"torch.baddbmm({bias}, {x}, {y}, beta={d.pick(1, 0.5)}, alpha=2)")


@recipe("einsum")
def einsum(d: Draw) -> str:
    x = d.x("f32", (1, 4))
    letters = "abcd"[: x.rank]
    kept = d.random.sample(letters, d.integer(0, x.rank))
    shared = d.random.sample(letters, d.integer(0, x.rank))
    shape = (*(x.shape[letters.index(c)] for c in shared), d.pick(1, 3))
    if d.chance(0.3):
        return f"torch.einsum('{letters}->{''.join(kept)}', {x})"
    return f"torch.einsum('{letters},{''.join(shared)}e->{''.join(kept)}e', {x}, {d.given('float32', shape)})"


@recipe("linear")
def linear(d: Draw) -> str:
    x = d.x("f32", (1, 5))
    return call(d.layer(f"nn.Linear({x.shape[-1]}, {d.pick(1, 3, 16, 33)}, bias={d.chance(0.7)})"), x)


@recipe("bilinear")
def bilinear(d: Draw) -> str:
    x = d.x("f32", (2, 3))
    y = d.given("float32", (*x.shape[:-1], d.pick(2, 5)))
    return call(d.layer(f"nn.Bilinear({x.shape[-1]}, {y.shape[-1]}, {d.pick(1, 3)})"), x, y)


@recipe("embedding layer")
def embedding(d: Draw) -> str:
    return call(d.layer(f"nn.Embedding(11, {d.pick(1, 4, 33)})"), d.new("int64", d.shape(d.integer(0, 3)), "11"))


# ---------------------------------------------------------------- convolutions and pools


def image(d: Draw, dims: int, least: int = 1) -> Var:
    """[N, C, *spatial] of a few elements."""
    return d.x("f32", dims + 2, lambda v: min(v.shape[2:]) >= least and v.numel <= 4096)


@recipe("conv1d", "conv2d", "conv3d")
def conv(d: Draw) -> str:
    dims = d.pick(1, 1, 2, 2, 2, 3)
    x = image(d, dims)
    channels = x.shape[1]
    groups = d.pick(1, 1, *(n for n in range(1, channels + 1) if channels % n == 0))
    kernel, stride, dilation, padding = drawn_window(d, dims)
    mode = d.pick("zeros", "zeros", "zeros", "reflect", "circular")
    constructor = f"nn.Conv{dims}d({channels}, {groups * d.pick(1, 2, 3)}, {kernel}, {stride}, {padding}, {dilation}"
    return call(d.layer(f"{constructor}, {groups}, {d.chance(0.6)}, {mode!r})"), x)


def drawn_window(d: Draw, dims: int) -> tuple[tuple[int, ...], ...]:
    def each(*items: int) -> tuple[int, ...]:
        return tuple(d.pick(*items) for _ in range(dims))

    kernel = each(1, 2, 3, 3, 4)
    return kernel, each(1, 1, 2, 3), each(1, 1, 2), tuple(d.integer(0, size // 2) for size in kernel)


@recipe("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def conv_transpose(d: Draw) -> str:
    dims = d.pick(1, 1, 2, 2, 3)
    x = image(d, dims)
    channels = x.shape[1]
    groups = d.pick(1, *(n for n in range(1, channels + 1) if channels % n == 0))
    kernel, stride, dilation, padding = drawn_window(d, dims)
    extra = tuple(d.integer(0, size - 1) for size in stride)
    constructor = f"nn.ConvTranspose{dims}d({channels}, {groups * d.pick(1, 2)}, {kernel}, {stride}, {padding}, {extra}"
    return call(d.layer(f"{constructor}, {groups}, {d.chance(0.6)}, {dilation})"), x)


@recipe("max_pool", "avg_pool")
def pool(d: Draw) -> str:
    dims = d.pick(1, 2, 2, 3)
    x = image(d, dims)
    kernel, stride, dilation, padding = drawn_window(d, dims)
    ceil = d.chance(0.3)
    if d.chance(0.5):
        return f"F.max_pool{dims}d({x}, {kernel}, {stride}, {padding}, {dilation}, {ceil})"
    return f"F.avg_pool{dims}d({x}, {kernel}, {stride}, {padding}, {ceil}, {d.chance(0.5)})"


@recipe("adaptive pools")
def adaptive(d: Draw) -> str:
    dims = d.pick(1, 2, 2, 3)
    x = image(d, dims)
    sizes = tuple(d.pick(1, 1, 2, 3) for _ in range(dims))
    return f"F.adaptive_{d.pick('avg', 'max')}_pool{dims}d({x}, {sizes})"


templates(
    "other pools",
    lambda d: f"F.lp_pool1d({image(d, 1)}, {d.pick(1, 2)}, 2)",
    lambda d: f"F.lp_pool2d({image(d, 2)}, 2, 2)",
    lambda d: f"F.local_response_norm({image(d, 2)}, {d.pick(1, 2, 3)})",
    lambda d: f"F.unfold({image(d, 2)}, {d.pick(1, 2)}, padding={d.pick(0, 1)})",
)


@recipe("interpolate")
def interpolate(d: Draw) -> str:
    dims = d.pick(1, 2, 2, 3)
    x = image(d, dims)
    linear = {1: "linear", 2: "bilinear", 3: "trilinear"}[dims]
    mode = d.pick("nearest", "nearest-exact", linear, linear, "bicubic" if dims == 2 else linear)
    corners = f", align_corners={d.chance(0.5)}" if "nearest" not in mode else ""
    size = tuple(d.integer(1, 9) for _ in range(dims))
    to = d.pick(f"scale_factor={d.pick(2, 0.5, 1.5, 3)}", f"size={size}")
    return f"F.interpolate({x}, {to}, mode={mode!r}{corners})"


# ---------------------------------------------------------------- norms


@recipe("layer_norm", "rms_norm")
def layer_norm(d: Draw) -> str:
    x = d.x("f32", (1, 5))
    dims = list(x.shape[x.rank - d.integer(1, min(2, x.rank)) :])
    affine = f"elementwise_affine={d.chance(0.7)}"
    return call(d.layer(f"nn.{d.pick('LayerNorm', 'RMSNorm')}({dims}, {d.pick(1e-5, 1e-3)}, {affine})"), x)


@recipe("group_norm", "instance_norm", "batch_norm")
def group_norm(d: Draw) -> str:
    x = d.x("f32", (2, 5))
    channels = x.shape[1]
    groups = d.pick(*(n for n in range(1, channels + 1) if channels % n == 0))
    dims = max(1, x.rank - 2)
    constructor = d.pick(
        f"nn.GroupNorm({groups}, {channels})",
        f"nn.InstanceNorm{dims}d({channels}, affine={d.chance(0.5)}, track_running_stats={d.chance(0.3)})",
        f"nn.BatchNorm{dims}d({channels}, affine={d.chance(0.7)})",
    )
    return call(d.layer(constructor), x)


# ---------------------------------------------------------------- attention and recurrences


@recipe("scaled_dot_product_attention")
def attention(d: Draw) -> str:
    q = d.x("f32", (2, 4))
    keys, width = d.pick(1, 3, 8, 33), d.pick(q.shape[-1], 4)
    k = d.given("float32", (*q.shape[:-2], keys, q.shape[-1]))
    v = d.given("float32", (*q.shape[:-2], keys, width))
    rest = d.pick(
        "",
        ", is_causal=True",
        f", scale={d.pick(1.0, 0.3)}",
        f", attn_mask={d.given('float32', (q.shape[-2], keys))}",
        f", attn_mask=torch.ones({q.shape[-2]}, {keys}, dtype=torch.bool).tril()",
        f", attn_mask={d.given('bool', (q.shape[-2], keys))}",
    )
    return f"F.scaled_dot_product_attention({q}, {k}, {v}{rest})"


@recipe("multi-head attention")
def multihead(d: Draw) -> str:
    x = d.x("f32", 3)
    heads = d.pick(*(n for n in (1, 2, 3, 4) if x.shape[-1] % n == 0))
    layer = d.layer(f"nn.MultiheadAttention({x.shape[-1]}, {heads}, batch_first={d.chance(0.7)})")
    return f"{layer}({x}, {x}, {x})[{d.pick(0, 0, 1)}]"


@recipe("transformer layer")
def transformer(d: Draw) -> str:
    x = d.x("f32", 3, lambda v: v.shape[-1] % 2 == 0)
    flags = f"batch_first={d.chance(0.7)}, norm_first={d.chance(0.5)}, activation={d.pick('relu', 'gelu')!r}"
    return call(d.layer(f"nn.TransformerEncoderLayer({x.shape[-1]}, 2, 16, {flags})"), x)


@recipe("lstm", "gru", "rnn")
def recurrent(d: Draw) -> str:
    x = d.x("f32", 3, lambda v: v.numel <= 1024)
    name = d.pick("LSTM", "GRU", "RNN")
    flags = f"{d.pick(1, 1, 2)}, batch_first={d.chance(0.6)}, bidirectional={d.chance(0.4)}, bias={d.chance(0.8)}"
    layer = d.layer(f"nn.{name}({x.shape[-1]}, {d.pick(1, 4, 33)}, {flags})")
    return f"{layer}({x})[0]"


@recipe("recurrent state")
def recurrent_state(d: Draw) -> str:
    x = d.x("f32", 3, lambda v: v.numel <= 1024)
    hidden = d.pick(2, 8)
    layer = d.layer(f"nn.GRU({x.shape[-1]}, {hidden}, batch_first=True)")
    return f"{layer}({x}, {d.given('float32', (1, x.shape[0], hidden))})[{d.pick(0, 1)}]"


@recipe("cells")
def cell(d: Draw) -> str:
    x = d.x("f32", 2)
    return d.pick(
        f"{d.layer(f'nn.GRUCell({x.shape[1]}, 5)')}({x})",
        f"{d.layer(f'nn.LSTMCell({x.shape[1]}, 5)')}({x})[{d.pick(0, 1)}]",
    )


@recipe("losses")
def loss(d: Draw) -> str:
    x = d.x("f32", (1, 4))
    y = d.given("float32", x.shape)
    reduction = d.pick("mean", "sum", "none")
    name = d.pick("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy_with_logits", "kl_div")
    return f"F.{name}({x}, {y}, reduction={reduction!r})"


@recipe("stft")
def stft(d: Draw) -> str:
    x = d.x("f32", (1, 2), lambda v: v.shape[-1] >= 8)
    if x.rank == 2 and d.length == x.shape[0]:
        raise Skip
    return f"torch.view_as_real(torch.stft({x}, 8, {d.pick(2, 4)}, window=torch.hann_window(8), return_complex=True))"
