"""Names of derived weights in a program: the model's own where there is one."""

from __future__ import annotations

import torch

from ttc import ops
from ttc.backend.derived import DerivedWeights
from ttc.ir import Builder, Const, DType, TensorType, Weights


def weights() -> DerivedWeights:
    return DerivedWeights(Weights())


def test_a_weight_keeps_its_name_and_what_is_made_of_it_has_the_name_within():
    derived = weights()
    w = derived.derive(Const(TensorType(DType.f32, (2, 3)), "layer.w"))
    turned = derived.derive(ops.Permute(w, (1, 0)))
    assert derived.ref(w, True) == "layer.w"
    assert derived.ref(turned, True) == "layer.w.permute"
    assert derived.ref(turned, True) == "layer.w.permute"


def test_other_forms_of_a_weight_have_numbers():
    derived = weights()
    w = derived.derive(Const(TensorType(DType.f32, (2, 3)), "w"))
    forms = [derived.derive(ops.Reshape(w, shape)) for shape in ((6,), (3, 2))]
    assert [derived.ref(form, False) for form in forms] == ["w.reshape", "w.reshape.1"]
    assert derived.ref(w, False) == "w"
    assert derived.ref(w, True) == "w.1"


def test_what_is_made_of_numbers_alone_is_named_after_them():
    derived = weights()
    full = derived.derive(ops.Full(TensorType(DType.f32, (2, 3)), 1.5))
    name = derived.ref(derived.derive(ops.Reshape(full, (6,))), True)
    assert name == f"{full.name}.reshape"


def test_known_are_values_that_depend_on_no_weight():
    derived = weights()
    w = derived.derive(Const(TensorType(DType.f32, (2,)), "w"))
    numbers = derived.constant(torch.tensor([1.0, 2.0]))
    twice = derived.derive(ops.Add(numbers, numbers))
    found = derived.known(twice)
    assert found is not None
    assert found.tolist() == [2.0, 4.0]
    assert derived.known(derived.derive(ops.Add(numbers, w))) is None


def test_only_what_a_program_names_is_an_output():
    derived = weights()
    builder = Builder()
    made = builder(Const(TensorType(DType.f32, (2,)), "w"))
    derived.take(made.op, (made,))
    static = derived.static(made)
    assert static is not None
    assert made in derived
    refs = [derived.ref(static, True), derived.ref(derived.derive(ops.Neg(static)), True)]
    assert [name for name, _ in derived.finish({refs[1]}).outputs] == ["w.neg"]
