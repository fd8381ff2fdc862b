import pytest

from tests.passes.check import agree, body, graph_of, leaves, rewrites
from ttc.passes.decompose.decompose import decompose
from ttc.passes.runner import run

X = '%x: f32[4,12,3] = input(name="x")\n'


def test_one_hot():
    rewrites(
        decompose,
        '%i: i64[2] = input(name="i")\n%y: i64[2,5] = one_hot(index=%i, depth=5)\nreturn "y"=%y',
        """%i: i64[2] = input(name="i")
%y: i64[2,1] = reshape(x=%i, shape=[2, 1])
%y_0: i64[5] = literal(data=[0, 1, 2, 3, 4])
%y_1: bool[2,5] = eq(a=%y, b=%y_0)
%y_2: i64[2,5] = cast(x=%y_1, dtype=i64)
return "y"=%y_2""",
        tolerance=0.0,
    )


@pytest.mark.parametrize(
    ("line", "gone"),
    [
        ("%y: f32[4,12,3] = hard_sigmoid(x=%x, alpha=0.2, beta=0.5)", "hard_sigmoid"),
        ("%y: f32[12] = prod(x=%x, dims=[0, 2])", "dims=[0, 2]"),
        ("%y: f32[4,12,3] = flip(x=%x, dims=[0])", "flip"),
        ("%y: f32[4,12,3] = flip(x=%x, dims=[0, 1, 2])", "flip"),
        ('%y: f32[4,19,3] = pad(x=%x, pads=[[0, 0], [3, 4], [0, 0]], mode="reflect")', "pad"),
        ('%y: f32[4,31,3] = pad(x=%x, pads=[[0, 0], [9, 10], [0, 0]], mode="reflect")', "pad"),
        ('%y: f32[5,12,6] = pad(x=%x, pads=[[0, 1], [0, 0], [3, 0]], mode="replicate")', "pad"),
    ],
)
def test_what_goes(line, gone):
    graph = graph_of(f'{X}{line}\nreturn "y"=%y')
    after = run((decompose,), graph, twice=True)
    assert gone not in body(after)
    agree(graph, after)


@pytest.mark.parametrize(
    "text",
    [
        X + '%y: f32[4,12,3] = hard_sigmoid(x=%x)\nreturn "y"=%y',
        X + '%y: f32[4,12,3] = softsign(x=%x)\nreturn "y"=%y',
        X + '%y: f32[4,14,3] = pad(x=%x, pads=[[0, 0], [1, 1], [0, 0]])\nreturn "y"=%y',
        '%x: f32[101] = input(name="x")\n%y: f32[101] = flip(x=%x, dims=[0])\nreturn "y"=%y',
    ],
)
def test_what_stays(text):
    leaves(decompose, text)
