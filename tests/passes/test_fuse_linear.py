import pytest

from tests.passes.check import leaves, rewrites
from ttc.passes.fuse_epilogue import fuse_epilogue
from ttc.passes.fuse_linear import fuse_linear


def test_matmul_and_bias():
    rewrites(
        fuse_linear,
        """
        %x: f32[2,4,8] = input(name="x")
        %w: f32[8,16] = const(ref="w")
        %b: f32[1,1,16] = const(ref="b")
        %p: f32[2,4,16] = matmul(a=%x, b=%w)
        %y: f32[2,4,16] = add(a=%b, b=%p)
        return "y"=%y
        """,
        """
        %x: f32[2,4,8] = input(name="x")
        %w: f32[8,16] = const(ref="w")
        %b: f32[1,1,16] = const(ref="b")
        %w_0: f32[16,8] = permute(x=%w, dims=[1, 0])
        %b_0: f32[16] = reshape(x=%b, shape=[16])
        %y: f32[2,4,16] = linear(x=%x, w=%w_0, bias=%b_0)
        return "y"=%y
        """,
    )


def test_a_transposed_weight_is_taken_as_it_is():
    rewrites(
        fuse_linear,
        """
        %x: f32[4,8] = input(name="x")
        %w: f32[16,8] = const(ref="w")
        %t: f32[8,16] = permute(x=%w, dims=[1, 0])
        %y: f32[4,16] = matmul(a=%x, b=%t)
        return "y"=%y
        """,
        """
        %x: f32[4,8] = input(name="x")
        %w: f32[16,8] = const(ref="w")
        %y: f32[4,16] = linear(x=%x, w=%w)
        return "y"=%y
        """,
        tolerance=1e-6,
    )


@pytest.mark.parametrize(
    "lines",
    [
        '%a: f32[8,4] = input(name="a")\n%y: f32[4,4] = matmul(a=%x, b=%a)',
        '%w: f32[2,8,4] = const(ref="w")\n%y: f32[2,4,4] = matmul(a=%x, b=%w)',
        '%w: f32[4,8] = const(ref="w")\n%b: f32[4,1] = const(ref="b")\n%p: f32[4,4] = linear(x=%x, w=%w)\n'
        "%y: f32[4,4] = add(a=%p, b=%b)",
        '%w: f32[4,8] = const(ref="w")\n%b: f32[4] = const(ref="b")\n%p: f32[4,4] = linear(x=%x, w=%w)\n'
        "%q: f32[4,4] = add(a=%p, b=%b)\n%y: f32[4,4] = mul(a=%p, b=%q)",
    ],
)
def test_no_linear(lines):
    leaves(fuse_linear, f'%x: f32[4,8] = input(name="x")\n{lines}\nreturn "y"=%y')


@pytest.mark.parametrize(
    ("op", "name"),
    [
        ("relu(x=%p)", "relu"),
        ("gelu(x=%p)", "gelu"),
        ("gelu(x=%p, approximate=true)", "gelu_tanh"),
        ("silu(x=%p)", "silu"),
        ("sigmoid(x=%p)", "sigmoid"),
        ("tanh(x=%p)", "tanh"),
    ],
)
def test_epilogue(op, name):
    head = '%x: f32[4,8] = input(name="x")\n%w: f32[16,8] = const(ref="w")\n'
    before = f'{head}%p: f32[4,16] = linear(x=%x, w=%w)\n%y: f32[4,16] = {op}\nreturn "y"=%y'
    rewrites(
        fuse_epilogue,
        before,
        f'{head}%y: f32[4,16] = linear(x=%x, w=%w, activation="{name}")\nreturn "y"=%y',
    )
    leaves(fuse_epilogue, before + ', "p"=%p')


def test_epilogue_of_a_convolution():
    head = '%x: f32[1,3,5] = input(name="x")\n%w: f32[4,3,3] = const(ref="w")\n'
    conv = "conv(x=%x, w=%w, stride=[1], padding=[[1, 1]], dilation=[1]"
    rewrites(
        fuse_epilogue,
        f'{head}%c: f32[1,4,5] = {conv})\n%y: f32[1,4,5] = relu(x=%c)\nreturn "y"=%y',
        f'{head}%y: f32[1,4,5] = {conv}, activation="relu")\nreturn "y"=%y',
    )
