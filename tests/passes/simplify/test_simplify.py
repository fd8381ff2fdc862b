import pytest
import torch

from tests.passes.check import graph_of, leaves, numbers, rewrites
from ttc.passes.fold import fold
from ttc.passes.share import share
from ttc.passes.simplify.simplify import simplify


def test_fold():
    rewrites(
        fold,
        """
        %x: i64[2] = input(name="x")
        %a: i64[2] = literal(data=[1, 2])
        %b: i64[2] = add(a=%a, b=%a)
        %y: i64[2] = mul(a=%x, b=%b)
        return "y"=%y
        """,
        """
        %x: i64[2] = input(name="x")
        %b: i64[2] = literal(data=[2, 4])
        %y: i64[2] = mul(a=%x, b=%b)
        return "y"=%y
        """,
    )


def test_fold_knows_no_weights():
    leaves(
        fold,
        """
        %w: f32[2] = const(ref="w")
        %b: f32[2] = add(a=%w, b=%w)
        return "y"=%b
        """,
    )


def test_share():
    rewrites(
        share,
        """
        %x: f32[4] = input(name="x")
        %a: f32[4] = relu(x=%x)
        %b: f32[4] = relu(x=%x)
        %c: f32[4] = neg(x=%a)
        %d: f32[4] = neg(x=%b)
        %dead: f32[4] = abs(x=%x)
        %y: f32[4] = add(a=%c, b=%d)
        return "y"=%y
        """,
        """
        %x: f32[4] = input(name="x")
        %a: f32[4] = relu(x=%x)
        %c: f32[4] = neg(x=%a)
        %y: f32[4] = add(a=%c, b=%c)
        return "y"=%y
        """,
    )


X = '%x: f32[2,3,4] = input(name="x")'
SAME = f'{X}\nreturn "y"=%x'

NOTHING = [
    "%o: f32[] = full(value=1.0)\n%y: f32[2,3,4] = mul(a=%o, b=%x)",
    "%o: f32[] = full(value=0.0)\n%y: f32[2,3,4] = sub(a=%x, b=%o)",
    "%o: f32[4] = full(value=0.0)\n%y: f32[2,3,4] = add(a=%x, b=%o)",
    "%o: f32[] = full(value=1.0)\n%y: f32[2,3,4] = pow(a=%x, b=%o)",
    "%a: f32[2,3,4] = neg(x=%x)\n%y: f32[2,3,4] = neg(x=%a)",
    "%y: f32[2,3,4] = permute(x=%x, dims=[0, 1, 2])",
    "%a: f32[4,2,3] = permute(x=%x, dims=[2, 0, 1])\n%y: f32[2,3,4] = permute(x=%a, dims=[1, 2, 0])",
    "%a: f32[24] = reshape(x=%x, shape=[24])\n%y: f32[2,3,4] = reshape(x=%a, shape=[2,3,4])",
    "%y: f32[2,3,4] = slice(x=%x, starts=[0, 0, 0], ends=[2, 3, 4])",
    "%y: f32[2,3,4] = concat(xs=[%x], dim=1)",
    "%y: f32[2,3,4] = expand(x=%x, shape=[2, 3, 4])",
    "%y: f32[2,3,4] = repeat(x=%x, repeats=[1, 1, 1])",
    "%y: f32[2,3,4] = pad(x=%x, pads=[[0, 0], [0, 0], [0, 0]])",
    "%a: f64[2,3,4] = cast(x=%x, dtype=f64)\n%y: f32[2,3,4] = cast(x=%a, dtype=f32)",
    "%c: bool[3,4] = full(value=True)\n%a: f32[2,3,4] = abs(x=%x)\n%y: f32[2,3,4] = where(condition=%c, a=%x, b=%a)",
    "%a: f32[2,3,4] = abs(x=%x)\n%b: f32[2,6,4] = concat(xs=[%a, %x], dim=1)\n"
    "%y: f32[2,3,4] = slice(x=%b, starts=[0, 3, 0], ends=[2, 6, 4])",
    "%a: f32[2,1,4] = slice(x=%x, starts=[0, 0, 0], ends=[2, 1, 4])\n"
    "%b: f32[2,2,4] = slice(x=%x, starts=[0, 1, 0], ends=[2, 3, 4])\n%y: f32[2,3,4] = concat(xs=[%a, %b], dim=1)",
]


@pytest.mark.parametrize("lines", NOTHING, ids=lambda text: text.split("= ")[-1].split("(")[0])
def test_what_does_nothing_goes(lines):
    lines = lines.replace("True", "true")
    rewrites(simplify, f'{X}\n{lines}\nreturn "y"=%y', SAME, tolerance=0.0)


def test_slices_side_by_side_are_one():
    columns = "steps=[1, 1, 2]"
    rewrites(
        simplify,
        f"{X}\n%a: f32[2,1,2] = slice(x=%x, starts=[0, 0, 1], ends=[2, 1, 4], {columns})\n"
        f"%b: f32[2,1,2] = slice(x=%x, starts=[0, 1, 1], ends=[2, 2, 4], {columns})\n"
        '%y: f32[2,2,2] = concat(xs=[%a, %b], dim=1)\nreturn "y"=%y',
        f"{X}\n%y: f32[2,2,2] = slice(x=%x, starts=[0, 0, 1], ends=[2, 2, 4], {columns})\n" + 'return "y"=%y',
        tolerance=0.0,
    )


SLICES = [
    # another order, a gap, other columns, every other row, along another dimension
    ("2,2,4", "[0, 1, 0], ends=[2, 3, 4]", "2,1,4", "[0, 0, 0], ends=[2, 1, 4]", "2,3,4", 1),
    ("2,1,4", "[0, 0, 0], ends=[2, 1, 4]", "2,1,4", "[0, 2, 0], ends=[2, 3, 4]", "2,2,4", 1),
    ("2,1,3", "[0, 0, 0], ends=[2, 1, 3]", "2,2,3", "[0, 1, 1], ends=[2, 3, 4]", "2,3,3", 1),
    ("2,1,4", "[0, 0, 0], ends=[2, 1, 4], steps=[1, 2, 1]", "2,1,4", "[0, 1, 0], ends=[2, 2, 4], steps=[1, 2, 1]",
     "2,2,4", 1),
    ("2,1,4", "[0, 0, 0], ends=[2, 1, 4]", "2,1,4", "[0, 1, 0], ends=[2, 2, 4]", "4,1,4", 0),
]  # fmt: skip


@pytest.mark.parametrize(("a", "first", "b", "second", "y", "dim"), SLICES)
def test_other_slices_stay_a_concatenation(a: str, first: str, b: str, second: str, y: str, dim: int):
    lines = f"""%a: f32[{a}] = slice(x=%x, starts={first})
    %b: f32[{b}] = slice(x=%x, starts={second})
    %y: f32[{y}] = concat(xs=[%a, %b], dim={dim})"""
    leaves(simplify, f'{X}\n{lines}\nreturn "y"=%y')


def test_slices_of_two_tensors_stay_a_concatenation():
    leaves(
        simplify,
        f"""{X}
        %z: f32[2,3,4] = abs(x=%x)
        %a: f32[2,1,4] = slice(x=%x, starts=[0, 0, 0], ends=[2, 1, 4])
        %b: f32[2,2,4] = slice(x=%z, starts=[0, 1, 0], ends=[2, 3, 4])
        %y: f32[2,3,4] = concat(xs=[%a, %b], dim=1)
        return "y"=%y""",
    )


STAYS = [
    "%o: f32[5,2,3,4] = full(value=0.0)\n%y: f32[5,2,3,4] = add(a=%x, b=%o)",
    "%a: f16[2,3,4] = cast(x=%x, dtype=f16)\n%y: f32[2,3,4] = cast(x=%a, dtype=f32)",
    "%a: i32[2,3,4] = cast(x=%x, dtype=i32)\n%y: f32[2,3,4] = cast(x=%a, dtype=f32)",
    "%y: f32[2,3,4] = sub(a=%x, b=%x)",
    "%o: f32[] = full(value=0.0)\n%y: f32[2,3,4] = mul(a=%x, b=%o)",
    "%o: f32[] = full(value=3.0)\n%y: f32[2,3,4] = div(a=%x, b=%o)",
    "%c: bool[2,3,4] = lt(a=%x, b=%x)\n%y: bool[2,3,4] = not(x=%c)",
]


@pytest.mark.parametrize("lines", STAYS)
def test_what_does_something_stays(lines):
    leaves(simplify, f'{X}\n{lines}\nreturn "y"=%y')


ONE_WAY = [
    ("%o: f32[] = full(value=8.0)\n%y: f32[2,3,4] = div(a=%x, b=%o)", "mul(a=%x, b=%y)"),
    ("%o: f32[] = full(value=1.0)\n%y: f32[2,3,4] = div(a=%o, b=%x)", "reciprocal(x=%x)"),
    ("%o: f32[] = full(value=2.0)\n%y: f32[2,3,4] = pow(a=%x, b=%o)", "mul(a=%x, b=%x)"),
    ("%o: f32[] = full(value=0.0)\n%y: f32[2,3,4] = maximum(a=%o, b=%x)", "relu(x=%x)"),
    ("%o: f32[] = full(value=6.0)\n%a: f32[2,3,4] = relu(x=%x)\n"
         "%y: f32[2,3,4] = minimum(a=%a, b=%o)", "clamp(x=%x, low=0.0, high=6.0)"),
    ("%w: f32[4] = const(ref=\"w\")\n%y: f32[2,3,4] = add(a=%w, b=%x)", "add(a=%x, b=%w)"),
    ("%e: f32[5,2,3,4] = expand(x=%x, shape=[5,2,3,4])\n%w: f32[5,2,3,4] = const(ref=\"w\")\n"
         "%y: f32[5,2,3,4] = mul(a=%e, b=%w)", "mul(a=%x, b=%w)"),
    ("%a: f32[2,1,3,4] = reshape(x=%x, shape=[2,1,3,4])\n"
         "%y: f32[1,2,3,4] = permute(x=%a, dims=[1,0,2,3])", "reshape(x=%x, shape=[1, 2, 3, 4])"),
    ("%a: f32[2,4,3] = permute(x=%x, dims=[0,2,1])\n"
         "%y: f32[1,2,4,3] = reshape(x=%a, shape=[1,2,4,3])", "permute(x=%y, dims=[0, 1, 3, 2])"),
    ("%a: f32[2,3,2] = slice(x=%x, starts=[0,0,1], ends=[2,3,4], steps=[1,1,2])\n"
         "%y: f32[2,3,1] = slice(x=%a, starts=[0,0,1], ends=[2,3,2], steps=[1,1,1])",
     "slice(x=%x, starts=[0, 0, 3], ends=[2, 3, 4], steps=[1, 1, 2])"),
    ("%i: i64[] = full(value=1)\n%y: f32[3,4] = embedding(w=%x, index=%i)", "reshape(x=%y, shape=[3, 4])"),
    ("%y: f32[2,3,1] = avg_pool(x=%x, kernel=[4], stride=[1], padding=[[0,0]], dilation=[1])",
     "mean(x=%x, dims=[2], keep=true)"),
    ("%y: f32[2,3,4] = flip(x=%x, dims=[0, 1])", None),
    ("%a: f32[2,3,1] = slice(x=%x, starts=[0,0,0], ends=[2,3,1], steps=[1,1,1])\n"
         "%y: f32[2,3,7] = repeat(x=%a, repeats=[1,1,7])", "expand(x=%a, shape=[2, 3, 7])"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "last"), ONE_WAY)
def test_one_spelling(lines, last):
    from tests.passes.check import agree, body
    from ttc.passes.runner import run

    type = lines.rsplit("%y: ", 1)[1].split(" ")[0]
    graph = graph_of(f'{X}\n{lines}\nreturn "y"=%y')
    after = run((simplify,), graph, twice=True)
    assert last is None or body(after).splitlines()[-2].split(" = ")[1] == last
    assert str(after.outputs[0][1].type) == type
    agree(graph, after, tolerance=1e-7)


def test_nan_and_infinity_stay():
    text = f"""
        {X}
        %zero: f32[] = full(value=0.0)
        %r: f32[2,3,4] = div(a=%x, b=%zero)
        %six: f32[] = full(value=6.0)
        %m: f32[2,3,4] = minimum(a=%r, b=%six)
        %p: f32[2,3,4] = mul(a=%r, b=%zero)
        %y: f32[2,3,4] = maximum(a=%p, b=%zero)
        return "m"=%m, "y"=%y
    """
    graph = graph_of(text)
    before, after = numbers(graph), numbers(simplify(graph))
    for name in before:
        assert torch.equal(before[name].nan_to_num(7.0), after[name].nan_to_num(7.0))
    assert before["y"].isnan().all()


def test_casts_go_up_through_reshapes_and_are_shared():
    rewrites(
        simplify,
        """
        %x: i64[2,3] = input(name="x")
        %r: i64[2,3,1] = reshape(x=%x, shape=[2, 3, 1])
        %a: f32[2,3,1] = cast(x=%r, dtype=f32)
        %b: f32[2,3] = cast(x=%x, dtype=f32)
        %c: f32[2,1,3] = reshape(x=%b, shape=[2, 1, 3])
        %y: f32[2,3,3] = mul(a=%a, b=%c)
        return "y"=%y
        """,
        """
        %x: i64[2,3] = input(name="x")
        %a: f32[2,3] = cast(x=%x, dtype=f32)
        %a_0: f32[2,3,1] = reshape(x=%a, shape=[2, 3, 1])
        %c: f32[2,1,3] = reshape(x=%a, shape=[2, 1, 3])
        %y: f32[2,3,3] = mul(a=%a_0, b=%c)
        return "y"=%y
        """,
    )
