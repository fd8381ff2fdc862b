import warnings

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.frontend.exporting import agree
from tests.frontend.test_export_signature import module
from ttc import ops
from ttc.errors import InputError, Refused
from ttc.frontend.archive import open_file
from ttc.frontend.export import export, load, read_program

torch.manual_seed(0)
X = torch.randn(2, 3)


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("scale", torch.rand(4), persistent=False)
        self.shift = torch.arange(4.0)
        self.last = nn.Linear(4, 3, bias=False)
        self.last.weight = nn.Parameter(self.first.weight.detach().T.contiguous())

    def forward(self, x):
        return self.last(self.norm(self.first(x)).relu() * self.scale + self.shift + torch.tensor([1.0, 2.0, 3.0, 4.0]))


OPERANDS = "x=%linear, w=%norm.weight, bias=%norm.bias, mean=%norm.running_mean, var=%norm.running_var"
TEXT = f"""\
graph {{
  %first.weight: f32[4,3] = const(ref="first.weight")
  %first.bias: f32[4] = const(ref="first.bias")
  %norm.weight: f32[4] = const(ref="norm.weight")
  %norm.bias: f32[4] = const(ref="norm.bias")
  %last.weight: f32[3,4] = const(ref="last.weight")
  %scale: f32[4] = const(ref="scale")
  %shift: f32[4] = const(ref="shift")
  %0: f32[4] = literal(data=[1.0, 2.0, 3.0, 4.0])
  %norm.running_mean: f32[4] = const(ref="norm.running_mean")
  %norm.running_var: f32[4] = const(ref="norm.running_var")
  %x: f32[2,3] = input(name="x")
  %linear: f32[2,4] = linear(x=%x, w=%first.weight, bias=%first.bias)
  %native_batch_norm_legit_no_training: f32[2,4] = batch_norm({OPERANDS})
  %relu: f32[2,4] = relu(x=%native_batch_norm_legit_no_training)
  %mul: f32[2,4] = mul(a=%relu, b=%scale)
  %add: f32[2,4] = add(a=%mul, b=%shift)
  %add_1: f32[2,4] = add(a=%add, b=%0)
  %linear_1: f32[2,3] = linear(x=%add_1, w=%last.weight)
  return "output"=%linear_1
}}
"""


def test_parameters_and_buffers_are_weights_under_their_own_names():
    exported = agree(Small(), X)
    assert str(exported.graph) == TEXT
    assert not exported.graph.weights.fake


def test_meta_and_fake_weights_give_the_same_text():
    with torch.device("meta"):
        meta = Small().eval()
    with FakeTensorMode():
        fake = Small().eval()
    for model in (meta, fake):
        graph = export(model, (X,)).graph
        assert str(graph) == TEXT
        assert graph.weights.fake
        with pytest.raises(InputError, match=r"weight 'first\.\w+' has no data"):
            ops.evaluate(graph, {"x": X})


def test_a_model_partly_on_meta():
    model = Small().eval()
    model.first.to("meta")
    assert str(export(model, (X,)).graph) == TEXT
    assert not model.last.weight.is_meta


def test_weights_are_never_folded():
    graph = export(module(lambda self, x: x + self.weight.exp(), weight=nn.Parameter(torch.ones(3))), (X,)).graph
    assert "exp(x=%weight)" in str(graph)


def test_a_module_called_literal_keeps_its_weights_unread():
    exported = agree(nn.ModuleDict({"literal": nn.Linear(3, 3)})["literal"], X)
    assert "weight" in exported.graph.weights
    holder = module(lambda self, x: self.literal(x), literal=nn.Linear(3, 3))
    assert set(agree(holder, X).graph.weights) == {"weight.literal.weight", "weight.literal.bias"}


def test_positions_and_sizes_are_folded():
    def forward(self, x):
        positions = torch.arange(x.shape[1], device=x.device)
        return x * (positions % 2 == 0).float() + positions.sum()

    text = str(agree(module(forward), X).graph)
    assert text.count(" = ") == 5
    assert "literal(data=[1.0, 0.0, 1.0])" in text


def test_every_distinct_refusal_is_told_at_once():
    def forward(self, x):
        a = x.lgamma() + x.lgamma()
        return a + torch.linalg.matrix_exp(x @ x.T).sum(), x[x > 0].sum()

    with pytest.raises(Refused) as caught:
        export(module(forward), (X,))
    told = caught.value.by_reason()
    assert [len(where) for reason, where in told.items() if reason.startswith("aten.lgamma.default is")] == [2]
    text = str(caught.value)
    assert "aten.linalg_matrix_exp.default is not supported: it factors a matrix" in text
    assert "its size [u0] depends on data" in text
    assert text.count("aten.lgamma.default is not supported: ") == 1


def test_a_refusal_names_the_module():
    with pytest.raises(Refused, match=r"lgamma in 1: aten\.lgamma\.default is not supported"):
        export(nn.Sequential(nn.Identity(), module(lambda self, x: x.lgamma())).eval(), (X,))


def test_symbolic_sizes_are_refused():
    program = torch.export.export(
        module(lambda self, x: x.flatten()), (X,), dynamic_shapes={"x": {0: torch.export.Dim("T")}}, strict=False
    )
    with pytest.raises(Refused, match="is not fixed"):
        load(program)


def test_training_mode_is_refused_where_it_matters():
    with pytest.raises(
        InputError, match=r"training mode, where its Dropout '1' behaves differently: call model.eval()"
    ):
        export(nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.1)), (X,))
    with pytest.raises(InputError, match="BatchNorm1d"):
        export(nn.Sequential(nn.BatchNorm1d(3)), (X,))
    export(nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.0)), (X,))
    with pytest.raises(Refused, match="dropout is on"):
        export(module(lambda self, x: nn.functional.dropout(x, 0.5, self.training)), (X,))


def test_what_torch_cannot_export_is_told_in_one_line(capfd):
    def branches(self, x):
        return x if x.sum() > 0 else -x

    with pytest.raises(
        InputError, match=r"torch\.export cannot export Module: GuardOnDataDependentSymNode: "
    ) as caught:
        export(module(branches), (X,))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="cannot export Module: ValueError: no such mode"):
        export(module(raises), (X,))
    assert capfd.readouterr().err == ""


def raises(self, x):
    raise ValueError("no such mode")


def test_exported_programs_and_files(tmp_path):
    model = Small().eval()
    program = torch.export.export(model, (X,), strict=False)
    assert str(load(program)) == str(read_program(program).graph) == TEXT
    with torch.no_grad():
        wanted = model(X)
    path = tmp_path / "small.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch says while it saves is not our concern
        torch.export.save(program, path)
    exported = read_program(open_file(path))
    assert str(exported.graph) == TEXT
    found = exported.signature.unflatten_outputs(ops.evaluate(exported.graph, exported.signature.flatten_inputs((X,))))
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"a text\n"])
def test_files_that_are_no_archives(tmp_path, content):
    path = tmp_path / "broken.pt2"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.pt2' is no PyTorch export archive"):
        open_file(path)


def test_a_truncated_archive_and_a_missing_file(tmp_path):
    path = tmp_path / "cut.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(Small().eval(), (X,), strict=False), path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match=r"cut\.pt2' is no PyTorch export archive"):
        open_file(path)
    with pytest.raises(InputError, match="there is no file"):
        open_file(tmp_path / "absent.pt2")
