import pytest

from tests.passes.check import agree, body, graph_of, leaves, rewrites
from ttc.passes.decompose.decompose import decompose
from ttc.passes.runner import run


def test_a_weight_of_run_time_is_multiplied_with_windows():
    rewrites(
        decompose,
        """
        %x: f32[1,2,5] = input(name="x")
        %w: f32[3,2,2] = input(name="w")
        %y: f32[1,3,4] = conv(x=%x, w=%w, stride=[1], padding=[[0, 0]], dilation=[1])
        return "y"=%y
        """,
        """
        %x: f32[1,2,5] = input(name="x")
        %w: f32[3,2,2] = input(name="w")
        %y: f32[1,2,4] = slice(x=%x, starts=[0, 0, 0], ends=[1, 2, 4])
        %y_0: f32[1,1,2,4] = reshape(x=%y, shape=[1, 1, 2, 4])
        %y_1: f32[1,2,4] = slice(x=%x, starts=[0, 0, 1], ends=[1, 2, 5])
        %y_2: f32[1,1,2,4] = reshape(x=%y_1, shape=[1, 1, 2, 4])
        %y_3: f32[1,1,4,4] = concat(xs=[%y_0, %y_2], dim=2)
        %y_4: f32[1,3,2,2] = reshape(x=%w, shape=[1, 3, 2, 2])
        %y_5: f32[1,3,2,2] = permute(x=%y_4, dims=[0, 1, 3, 2])
        %y_6: f32[1,1,3,4] = reshape(x=%y_5, shape=[1, 1, 3, 4])
        %y_7: f32[1,1,3,4] = matmul(a=%y_6, b=%y_3)
        %y_8: f32[1,3,4] = reshape(x=%y_7, shape=[1, 3, 4])
        return "y"=%y_8
        """,
        tolerance=1e-6,
    )


CONVS = [
    ("f32[2,4,7]", "f32[6,2,3]", "conv", "stride=[2], padding=[[1, 2]], dilation=[2], groups=2", "f32[2,6,3]"),
    ("f32[1,4,6,5]", "f32[2,4,3,2]", "conv",
     "stride=[2, 1], padding=[[1, 0], [0, 1]], dilation=[1, 2]", "f32[1,2,3,4]"),
    ("f32[1,2,3]", "f32[2,3,3]", "conv_transpose",
     "stride=[2], padding=[[0, 1]], output_padding=[1], dilation=[1]", "f32[1,3,7]"),
    ("f32[1,4,3,2]", "f32[4,1,2,3]", "conv_transpose",
     "stride=[1, 3], padding=[[0, 0], [2, 2]], output_padding=[0, 0], dilation=[2, 1], groups=2", "f32[1,2,5,2]"),
]  # fmt: skip


@pytest.mark.parametrize(("x", "w", "kind", "attributes", "y"), CONVS)
def test_what_goes(x, w, kind, attributes, y):
    inputs = f'%x: {x} = input(name="x")\n%w: {w} = input(name="w")\n'
    graph = graph_of(f'{inputs}%y: {y} = {kind}(x=%x, w=%w, {attributes})\nreturn "y"=%y')
    after = run((decompose,), graph, twice=True)
    assert "conv" not in body(after)
    agree(graph, after)


def test_three_dimensions_transposed_become_a_convolution():
    graph = graph_of(
        """
        %x: f32[1,2,2,3,2] = input(name="x")
        %w: f32[2,3,2,1,2] = const(ref="w")
        %y: f32[1,3,4,3,3] = conv_transpose(x=%x, w=%w, stride=[2, 1, 1], padding=[[0, 0], [0, 0], [0, 0]], \\
            output_padding=[0, 0, 0], dilation=[1, 1, 1])
        return "y"=%y
        """.replace("\\\n            ", "")
    )
    after = run((decompose,), graph, twice=True)
    assert "conv_transpose" not in body(after)
    assert " = conv(" in body(after)
    agree(graph, after)


def test_groups_in_three_dimensions():
    window = "stride=[1, 1, 1], padding=[[0, 0], [0, 0], [0, 0]], dilation=[1, 1, 1]"
    graph = graph_of(
        f"""
        %x: f32[1,4,2,3,2] = input(name="x")
        %w: f32[2,2,2,1,2] = const(ref="w")
        %y: f32[1,2,1,3,1] = conv(x=%x, w=%w, {window}, groups=2)
        return "y"=%y
        """
    )
    after = run((decompose,), graph, twice=True)
    assert " = conv(" not in body(after)
    agree(graph, after)


def test_a_bias_of_run_time_is_added():
    rewrites(
        decompose,
        """
        %x: f32[1,2,5] = input(name="x")
        %b: f32[3] = input(name="b")
        %w: f32[3,2,2] = const(ref="w")
        %y: f32[1,3,4] = conv(x=%x, w=%w, bias=%b, stride=[1], padding=[[0, 0]], dilation=[1], activation="relu")
        return "y"=%y
        """,
        """
        %x: f32[1,2,5] = input(name="x")
        %b: f32[3] = input(name="b")
        %w: f32[3,2,2] = const(ref="w")
        %y: f32[1,3,4] = conv(x=%x, w=%w, stride=[1], padding=[[0, 0]], dilation=[1])
        %y_0: f32[3,1] = reshape(x=%b, shape=[3, 1])
        %y_1: f32[1,3,4] = add(a=%y, b=%y_0)
        %y_2: f32[1,3,4] = relu(x=%y_1)
        return "y"=%y_2
        """,
    )


def test_known_weights_stay():
    leaves(
        decompose,
        """
        %x: f32[1,2,5] = input(name="x")
        %w: f32[3,2,2] = const(ref="w")
        %y: f32[1,3,4] = conv(x=%x, w=%w, stride=[1], padding=[[0, 0]], dilation=[1])
        return "y"=%y
        """,
    )
