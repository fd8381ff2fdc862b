from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from tests.frontend.exporting import agree
from ttc.errors import InputError
from ttc.frontend.export import call_key, export, symbolic_dims
from ttc.ir import DType

torch.manual_seed(0)
X, Y = torch.randn(2, 3), torch.randn(2, 3)
Pair = namedtuple("Pair", "left right")


def module(function, **attributes):
    """A module whose forward is `function(self, ...)`."""
    kind = type("Module", (nn.Module,), {"forward": function})
    built = kind()
    for name, value in attributes.items():
        setattr(built, name, value)
    return built


def names(exported):
    inputs, outputs = exported.graph.signature()
    return list(inputs), list(outputs)


def test_one_tensor_in_and_out():
    assert names(agree(module(lambda self, x: x + 1), X)) == (["x"], ["output"])


def test_nested_arguments_are_named_by_their_path():
    exported = agree(
        module(lambda self, x, kv, *, extra: x + kv[0] + kv[1][0] + extra["deep"][0] + extra["b"]),
        X, (X, [Y]), extra={"deep": [Y + 1], "b": Y},
    )  # fmt: skip
    assert names(exported)[0] == ["x", "kv.0", "kv.1.0", "extra.deep.0", "extra.b"]


def test_variable_arguments_are_numbered():
    exported = agree(module(lambda self, x, *xs, **rest: x + xs[0] + xs[1] + rest["z"]), X, Y, Y + 1, z=X + 2)
    assert names(exported)[0] == ["x", "xs.0", "xs.1", "z"]


def test_named_tuples_and_ordered_dicts():
    model = module(lambda self, p, d: Pair(p.left + d["a"], OrderedDict(z=p.right)))
    exported = agree(model, Pair(X, Y), OrderedDict(a=X))
    assert names(exported) == (["p.left", "p.right", "d.a"], ["left", "right.z"])


def test_nested_results_keep_their_structure_and_none():
    exported = agree(module(lambda self, x: {"a": x * 2, "b": (x + 1, None, [x - 1]), "c": None}), X)
    assert names(exported)[1] == ["a", "b.0", "b.2.0"]


def test_a_tuple_of_results_is_numbered():
    assert names(agree(module(lambda self, x: (x + 1, x + 2)), X))[1] == ["0", "1"]
    assert names(agree(module(lambda self, x: [x + 1]), X))[1] == ["0"]


def test_names_are_unique():
    exported = agree(module(lambda self, x: {"a.b": x, "a": {"b": x + 1, "b_1": x}, 1: x, "": x}), X)
    outputs = names(exported)[1]
    assert outputs[:2] == ["a.b", "a.b_1"]
    assert len(set(outputs)) == len(outputs) == 5


def test_numbers_flags_and_texts_are_constants_of_the_signature():
    model = module(lambda self, x, n, flag=True, mode="a", *, scale=2.0: (x * n * scale if flag else x, n, mode))
    exported = agree(model, X, 3, False, "b", scale=0.5)
    assert names(exported) == (["x"], ["0"])
    with pytest.raises(InputError, match="compiled for the argument 3, but got 4"):
        exported.signature.flatten_inputs((X, 4, False, "b"), {"scale": 0.5})
    with pytest.raises(InputError, match="compiled for the argument 3, but got True"):
        exported.signature.flatten_inputs((X, True, False, "b"), {"scale": 0.5})


def test_none_as_an_argument():
    assert names(agree(module(lambda self, x, mask=None: x if mask is None else x * mask), X, None))[0] == ["x"]


def test_inputs_passed_through_duplicates_and_constants():
    def forward(self, x, y):
        z = x + 1
        return {"same": x, "z": z, "again": z, "weight": self.weight, "ones": torch.ones(2), "number": 7, "y": y}

    exported = agree(module(forward, weight=nn.Parameter(torch.randn(3))), X, Y)
    assert names(exported)[1] == ["same", "z", "again", "weight", "ones", "y"]


def test_an_input_nobody_reads_stays_an_input():
    assert names(agree(module(lambda self, x, y: x + 1), X, Y))[0] == ["x", "y"]


def test_one_tensor_passed_twice_is_two_inputs():
    exported = agree(module(lambda self, x, y: x - 2 * y), X, X)
    assert names(exported)[0] == ["x", "y"]
    text = str(exported.graph)
    assert "sub(a=%x" in text
    assert "%y" in text


def test_dtypes_are_the_models_own():
    dtypes = (torch.int64, torch.bool, torch.float64, torch.float16, torch.bfloat16, torch.int32, torch.uint8)
    model = module(lambda self, *xs: [*xs, xs[0] + 1, ~xs[1], xs[2] * 2])
    exported = agree(model, *(torch.ones(2, dtype=dtype) for dtype in dtypes))
    types = [type.dtype for type in exported.graph.signature()[1].values()]
    assert types == [
        DType.i64, DType.bool, DType.f64, DType.f16, DType.bf16, DType.i32, DType.u8, DType.i64, DType.bool, DType.f64,
    ]  # fmt: skip


@dataclass
class Result:
    hidden: torch.Tensor
    pooled: torch.Tensor | None = None


torch.export.register_dataclass(Result, serialized_type_name="tests.Result")


def test_dataclasses():
    exported = agree(module(lambda self, x: Result(x + 1)), X)
    assert names(exported)[1] == ["hidden"]


def test_keyword_arguments_may_come_in_another_order():
    exported = export(module(lambda self, a, b: a - b), (), {"a": X, "b": Y})
    assert list(exported.signature.flatten_inputs((), {"b": Y, "a": X})) == ["a", "b"]


def test_another_structure_is_refused():
    exported = export(module(lambda self, a, b: a - b), (X, Y))
    with pytest.raises(InputError, match="structure"):
        exported.signature.flatten_inputs((X,), {"b": Y})


def test_calls_that_share_a_program_have_one_key():
    key = call_key((X, 3), {"a": X, "b": [Y]})
    assert key == call_key((Y, 3), {"b": [X], "a": Y})
    assert hash(key) == hash(call_key((Y, 3), {"b": [X], "a": Y}))
    others = [
        call_key((X, 4), {"a": X, "b": [Y]}),
        call_key((X, 3.0), {"a": X, "b": [Y]}),
        call_key((X, True), {"a": X, "b": [Y]}),
        call_key((X, 3), {"a": X, "b": (Y,)}),
        call_key((X.double(), 3), {"a": X, "b": [Y]}),
        call_key((X[:1], 3), {"a": X, "b": [Y]}),
        call_key((X, 3), {"a": X}),
    ]
    assert len({key, *others}) == 8


def test_open_sizes_are_named_by_leaf_and_axis():
    model = module(lambda self, a, b, c: a.sum(0) + b[0, 0] + c)
    rows, columns = torch.export.Dim("rows", min=2), torch.export.Dim("columns", min=2)
    example = (torch.ones(4, 3), torch.ones(5, 6, 3), torch.ones(3))
    open_sizes = ({0: rows}, {1: columns}, None)
    found = symbolic_dims(torch.export.export(model, example, dynamic_shapes=open_sizes))
    assert {number: list(axes) for number, axes in found.items()} == {0: [0], 1: [1]}
    assert len({name for axes in found.values() for name in axes.values()}) == 2
    assert symbolic_dims(torch.export.export(model, example)) == {}


@pytest.mark.parametrize(
    ("forward", "returned", "repeated"),
    [
        (lambda self, x, y: (y, x + y), (("0", "y"),), ()),
        (lambda self, x, y: x.add_(y), (("output", "x"),), ()),
        (lambda self, x, y: (x, x.add_(y), x), (("0", "x"), ("1", "x"), ("2", "x")), ()),
        (lambda self, x, y: [x * y] * 3, (), (("1", "0"), ("2", "0"))),
        (lambda self, x, y: (None, x.clone(), x.clone(), x + 0), (), ()),
        (lambda self, x, y: (x.add_(y).clone(), y[:]), (), ()),
    ],
    ids=["an input", "a changed input", "it all along", "a result thrice", "copies", "a copy and a view"],
)
def test_results_that_are_an_input_or_an_earlier_result(forward, returned, repeated):
    signature = export(module(forward), (X.clone(), Y)).signature
    assert (signature.returned, signature.repeated) == (returned, repeated)


def test_an_input_is_returned_where_its_elements_lie_as_in_the_trace():
    signature = export(module(lambda self, x: (x.contiguous(), x * 2)), (X,)).signature
    values = {"0": X.clone(), "1": X * 2}
    assert signature.unflatten_outputs(values, {"x": X})[0] is X
    assert signature.unflatten_outputs(values, {"x": Y.T})[0] is values["0"]
    assert signature.unflatten_outputs(values)[0] is values["0"]


def test_constants_are_the_same_bit_for_bit():
    for compiled in (float("nan"), 0.0, 1, True):
        signature = export(module(lambda self, x, n: x * n), (X, compiled)).signature
        signature.flatten_inputs((X, compiled))
        for other in (float("inf"), -0.0, 0, 1.0, False):
            with pytest.raises(InputError, match=f"compiled for the argument {compiled!r}, but got {other!r}"):
                signature.flatten_inputs((X, other))
