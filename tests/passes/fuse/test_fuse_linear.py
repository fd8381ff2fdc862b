import pytest

from tests.passes.check import agree, body, leaves, near_miss, retyped, rewrites
from ttc.passes.fuse.fuse_epilogue import fuse_epilogue
from ttc.passes.fuse.fuse_linear import fuse_linear
from ttc.passes.runner import run


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


PRODUCT = """%x: f32[4,8] = input(name="x")
%w: f32[8,16] = const(ref="w")
%y: f32[4,16] = matmul(a=%x, b=%w)
return "y"=%y"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('%w: f32[8,16] = const(ref="w")', '%w: f32[8,16] = input(name="w")'),
        ('%w: f32[8,16] = const(ref="w")', '%w: f32[2,8,16] = const(ref="w")'),
        ('%x: f32[4,8] = input(name="x")', '%x: f32[4,8] = const(ref="x")'),  # a derived weight
        ("matmul(a=%x, b=%w)", "matmul(a=%w, b=%x)"),
    ],
)
def test_near_misses_of_a_product(old, new):
    text = PRODUCT.replace("[8,16]", "[8,4]") if new.endswith("=%x)") else PRODUCT
    near_miss(text, old, new, "linear(", fuse_linear)


BIASED = """%x: f32[4,8] = input(name="x")
%w: f32[4,8] = const(ref="w")
%b: f32[4] = const(ref="b")
%p: f32[4,4] = linear(x=%x, w=%w)
%y: f32[4,4] = add(a=%p, b=%b)
return "y"=%y"""


@pytest.mark.parametrize("sum", ["add(a=%p, b=%b)", "add(a=%b, b=%p)", "sub(a=%p, b=%b)"])
@pytest.mark.parametrize("shape", ["[4]", "[1]", "[]", "[1,4]", "[1,1]"])
def test_biases(sum, shape):
    graph = retyped(BIASED.replace("add(a=%p, b=%b)", sum).replace("%b: f32[4]", f"%b: f32{shape}"))
    after = run((fuse_linear,), graph, twice=True)
    assert body(after).splitlines()[-2].startswith("%y: f32[4,4] = linear(x=%x, w=%w, bias=%")
    agree(graph, after)


@pytest.mark.parametrize("sum", ["add(a=%p, b=%b)", "add(a=%b, b=%p)", "sub(a=%p, b=%b)"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("linear(x=%x, w=%w)", "linear(x=%x, w=%w, bias=%b)"),
        ("linear(x=%x, w=%w)", 'linear(x=%x, w=%w, activation="relu")'),
        ('%b: f32[4] = const(ref="b")', '%b: f32[4] = input(name="b")'),
        ('%b: f32[4] = const(ref="b")', '%b: f32[4,1] = const(ref="b")'),
        ('%b: f32[4] = const(ref="b")', '%b: f32[4,4] = const(ref="b")'),
        ('%b: f32[4] = const(ref="b")', '%b: f32[1,1,4] = const(ref="b")'),  # makes the result wider
        ('"y"=%y', '"y"=%y, "p"=%p'),
    ],
)
def test_near_misses_of_a_bias(sum, old, new):
    made = "neg(x=%b)" if sum.startswith("sub") else "linear(x=%x, w=%w, bias=%b)\nreturn"
    near_miss(BIASED.replace("add(a=%p, b=%b)", sum), old, new, made, fuse_linear)


@pytest.mark.parametrize("sum", ["sub(a=%b, b=%p)", "mul(a=%p, b=%b)"])
def test_what_is_no_bias(sum):
    graph = retyped(BIASED.replace("add(a=%p, b=%b)", sum))
    assert fuse_linear(graph) is graph


ACTIVATED = """%x: f32[4,8] = input(name="x")
%w: f32[16,8] = const(ref="w")
%p: f32[4,16] = linear(x=%x, w=%w)
%y: f32[4,16] = relu(x=%p)
return "y"=%y"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("linear(x=%x, w=%w)", 'linear(x=%x, w=%w, activation="tanh")'),
        ("linear(x=%x, w=%w)", "add(a=%x, b=%x)"),
        ("relu(x=%p)", "exp(x=%p)"),
        ("relu(x=%p)", "leaky_relu(x=%p)"),
        ('"y"=%y', '"y"=%y, "p"=%p'),
    ],
)
def test_near_misses_of_an_epilogue(old, new):
    near_miss(ACTIVATED, old, new, 'activation="relu"', fuse_epilogue)
