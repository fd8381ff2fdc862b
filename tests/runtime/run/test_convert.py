import warnings

import ml_dtypes
import numpy as np
import pytest

from ttc.errors import InputError
from ttc.ir import Builder, DType, Graph, Input, Spec, TensorType
from ttc.ir.weights import NAMED
from ttc.runtime.run.convert import bind_inputs, from_device, to_device, user_dtype
from ttc.runtime.run.program import Program


def program(**types: TensorType) -> Program:
    builder = Builder()
    for name, type in types.items():
        builder(Input(Spec(DType.bf16 if type.dtype.is_float else DType.i32, type.shape), name))
    graph: Graph = builder.finish({})
    return Program(graph, tuple(types.items()), (), "n150", "bf16")


TWO = program(ids=TensorType(DType.i64, (1, 3)), scale=TensorType(DType.f32, ()))
IDS, SCALE = np.array([[1, 2, 3]]), np.float32(2)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"ids": IDS}, "input 'scale' is missing; the program takes ids, scale"),
        ({"ids": IDS, "scale": SCALE, "mask": IDS}, "there is no input 'mask'; the program takes ids, scale"),
        ([IDS], "the program takes 2 inputs (ids, scale), got 1"),
        (IDS, "the program takes 2 inputs (ids, scale), got 1"),
        ({"ids": IDS[0], "scale": SCALE}, "input 'ids' has shape [3], the program takes [1, 3]"),
        ({"ids": IDS.astype(np.int32), "scale": SCALE}, "input 'ids' is int32, the program takes int64"),
        ({"ids": IDS, "scale": np.float64(2)}, "input 'scale' is float64, the program takes float32"),
        ({"ids": [[1.5, 2, 3]], "scale": SCALE}, "input 'ids' is float64, the program takes int64"),
        ({"ids": "abc", "scale": SCALE}, "input 'ids' is <U3, the program takes int64"),
        ({"ids": None, "scale": SCALE}, "input 'ids' is object, the program takes int64"),
        ({"ids": [[1], [2, 3]], "scale": SCALE}, "input 'ids' is no array"),
    ],
)
def test_a_wrong_input_is_named(inputs, message):
    with pytest.raises(InputError) as error:
        bind_inputs(TWO, inputs)
    assert message in str(error.value)


def test_plain_python_numbers_take_the_declared_dtype():
    found = bind_inputs(TWO, {"ids": [[1, 2, 3]], "scale": 2})
    assert found["ids"].dtype == np.int64
    assert found["scale"].dtype == np.float32


def test_bfloat16_is_float32_to_the_user():
    taking = program(x=TensorType(DType.bf16, (2,)))
    assert bind_inputs(taking, np.ones(2, np.float32))["x"].dtype == np.float32
    with pytest.raises(InputError, match="is uint16, the program takes float32"):
        bind_inputs(taking, np.ones(2, np.uint16))


def test_a_program_without_inputs_takes_nothing():
    assert bind_inputs(program(), {}) == {}
    assert bind_inputs(program(), []) == {}
    with pytest.raises(InputError, match="there is no input 'x'; the program takes no inputs"):
        bind_inputs(program(), {"x": IDS})


@pytest.mark.parametrize(
    ("given", "device", "wanted"),
    [
        (np.array([True, False]), DType.bf16, np.float32),
        (np.array([True, False]), DType.i32, np.int32),
        (np.array([1.5, np.nan, np.inf], np.float16), DType.bf16, np.float32),
        (np.array([1.5, np.nan, -np.inf], np.float64), DType.f32, np.float32),
        (np.array([2**31 - 1, -(2**31)], np.int64), DType.i32, np.int32),
        (np.array([2**32 - 1, 0], np.int64), DType.u32, np.uint32),
        (np.array([255], np.uint8), DType.i32, np.int32),
        (np.array([2**31 - 1], np.uint64), DType.i32, np.int32),
        (np.array(3, np.int64), DType.i32, np.int32),
        (np.zeros((0, 3), np.int64), DType.i32, np.int32),
    ],
)
def test_inputs_keep_their_numbers_on_the_way_to_the_device(given, device, wanted):
    found = to_device("x", given, Spec(device, given.shape))
    assert found.dtype == wanted
    np.testing.assert_array_equal(found.astype(np.float64), given.astype(np.float64))


@pytest.mark.parametrize(
    ("given", "device", "culprit"),
    [
        (np.array([1, 2**31], np.int64), DType.i32, "2147483648, which int32"),
        (np.array([-1], np.int64), DType.u32, "-1, which uint32"),
        (np.array([70000], np.int64), DType.u16, "70000, which uint16"),
        (np.array(2**40, np.int64), DType.i32, "1099511627776, which int32"),
        (np.array([2**31], np.uint32), DType.i32, "2147483648, which int32"),
        (np.array([1e300, np.inf]), DType.bf16, "1e+300, which float32"),
    ],
)
def test_a_number_that_does_not_fit_is_named(given, device, culprit):
    with pytest.raises(InputError) as error:
        to_device("x", given, Spec(device, given.shape))
    assert str(error.value) == f"input 'x' holds {culprit} on the device cannot hold"


@pytest.mark.parametrize("dtype", [DType.f64, DType.f32, DType.f16, DType.i64, DType.i16, DType.u8])
def test_outputs_have_the_declared_dtype(dtype):
    found = from_device(np.array([1.0, 2.0], np.float32), TensorType(dtype, (2,)))
    assert found.dtype.name == {"f": "float", "i": "int", "u": "uint"}[str(dtype)[0]] + str(dtype)[1:]
    assert found.tolist() == [1, 2]


def test_booleans_are_whatever_is_not_zero():
    found = from_device(np.array([0.0, -0.0, 1.0, -3.0, np.nan], np.float32), TensorType(DType.bool, (5,)))
    assert found.tolist() == [False, False, True, True, True]


def test_what_float16_cannot_hold_overflows_in_silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isinf(from_device(np.array([1e30], np.float32), TensorType(DType.f16, (1,))))


def test_a_declared_bfloat16_is_rounded_to_it():
    declared, x = TensorType(DType.bf16, (4,)), np.array([1 + 2**-8, 1 + 3 * 2**-8, np.nan, -np.inf], np.float32)
    wanted = [1.0, 1 + 2**-6, np.nan, -np.inf]  # ties to even
    np.testing.assert_array_equal(from_device(x, declared), np.array(wanted, np.float32))
    np.testing.assert_array_equal(bind_inputs(program(x=declared), x)["x"], np.array(wanted, np.float32))
    scalar = from_device(np.array(1 + 2**-8, np.float32), TensorType(DType.bf16, ()))
    assert scalar.shape == ()
    assert scalar == 1


@pytest.mark.parametrize("name", NAMED)
def test_arrays_of_ml_dtypes_stand_for_their_own_type_alone(name):
    x = np.array([0, 1, 1, 0]).astype(np.dtype(getattr(ml_dtypes, name)))
    declared = TensorType(NAMED[name], (4,))
    found = bind_inputs(program(x=declared), {"x": x})["x"]
    assert found.dtype == user_dtype(declared)
    np.testing.assert_array_equal(found, x.astype(np.float32))
    for other in (DType.f32, DType.i8, DType.f16, DType.bf16 if name != "bfloat16" else DType.f8e5m2):
        with pytest.raises(InputError, match=f"input 'x' is {name}, the program takes"):
            bind_inputs(program(x=TensorType(other, (4,))), {"x": x})
