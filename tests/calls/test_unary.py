import pytest

from tests.calls.programs import BF16, F32, I32, ROWS, TILED, assert_as_predicted, one, spec, values
from tests.cards import EACH_CARD
from ttc.calls import unary as calls
from ttc.errors import Refusal
from ttc.ir import L1, DType

ARGUMENTS = {calls.LeakyRelu: (0.1,), calls.Rpow: (2.0,)}
KINDS = [kind for kind in vars(calls).values() if hasattr(kind, "mnemonic") and kind is not calls.Clamp]


def test_the_result_has_the_operands_spec():
    (x,) = values(spec(BF16, 2, 33, layout=ROWS))
    assert calls.Tanh(x).infer() == x.type


def test_memory_follows_the_operand_unless_stated():
    (x,) = values(spec(BF16, 2, 33, memory=L1))
    assert calls.Relu(x).infer().memory == L1
    (x,) = values(spec(BF16, 2, 33))
    assert calls.Relu(x, memory_config=L1).infer().memory == L1


def test_integers_are_refused_by_name():
    (x,) = values(spec(I32, 2, 33))
    with pytest.raises(Refusal, match="input_tensor is i32; accepted are bf16, bfp4, bfp8, f32"):
        calls.Exp(x).infer()


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_returns_what_is_predicted(target: str, ttnn_python: str):
    programs = [
        one(lambda x, kind=kind: kind(x, *ARGUMENTS.get(kind, ())), spec(dtype, 2, 33, 65, layout=layout))
        for kind in KINDS
        for dtype in (BF16, F32, I32, DType.u32)
        if dtype in kind.dtypes
        for layout in (TILED, ROWS)
    ]
    programs += [
        one(calls.Relu, spec(BF16, *shape, layout=layout))
        for shape in ((), (1,), (65,), (33, 65), (1, 197, 768), (2, 1, 3, 5, 33), (2, 3, 2, 2, 5, 7))
        for layout in (TILED, ROWS)
    ]
    programs += [
        one(lambda x: calls.Gelu(x, variant=calls.GeluVariant.Tanh), spec(F32, 7, 40)),
        one(lambda x: calls.Elu(x, alpha=0.5), spec(F32, 7, 40)),
        one(lambda x: calls.Softplus(x, beta=2.0, threshold=3.0), spec(F32, 7, 40)),
        one(lambda x: calls.Clamp(x, min=-1), spec(I32, 7, 40)),
        one(lambda x: calls.Clamp(x, min=-1, max=1), spec(I32, 7, 40)),
        one(lambda x: calls.Clamp(x, max=1.5), spec(F32, 7, 40)),
    ]
    assert_as_predicted(programs, target)
