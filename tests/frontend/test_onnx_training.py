"""Steps of optimisers beside ONNX's own reference."""

import numpy as np
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from tests.frontend.onnx_models import model_of, run_ours

DOMAIN = "ai.onnx.preview.training"
STEPS = {
    "Adagrad": (("x", "g", "h"), {"decay_factor": 0.1, "epsilon": 1e-3, "norm_coefficient": 0.01}),
    "Adam": (("x", "g", "v", "h"), {"alpha": 0.9, "beta": 0.8, "epsilon": 1e-3, "norm_coefficient": 0.01}),
    "Momentum": (("x", "g", "v"), {"alpha": 0.9, "beta": 0.2, "mode": "standard", "norm_coefficient": 0.01}),
    "Nesterov": (("x", "g", "v"), {"alpha": 0.9, "beta": 0.2, "mode": "nesterov", "norm_coefficient": 0.01}),
}


@pytest.mark.parametrize("t", [0, 3])
@pytest.mark.parametrize("kind", STEPS)
def test_a_step(kind: str, t: int):
    names, attributes = STEPS[kind]
    rng = np.random.default_rng(0)
    inputs = {"r": np.float32(0.1), "t": np.array(t)}
    inputs |= {name: abs(rng.standard_normal((2, 3), np.float32)) for name in names}
    results = [f"{name}_new" for name in names if name != "g"]
    node_type = "Momentum" if kind == "Nesterov" else kind
    node = helper.make_node(node_type, [*inputs], results, domain=DOMAIN, **attributes)
    model = model_of([node], inputs, results, opset=21, domains={DOMAIN: 1})
    wanted = ReferenceEvaluator(model).run(None, inputs)
    found = run_ours(model, inputs)
    for name, expected in zip(results, wanted, strict=True):
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-6)
