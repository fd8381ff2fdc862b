"""Programs that are read as exported, and those that torch traces once more."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import ttc
from ttc.frontend.export import functional

Calls = list[object]


class Of(nn.Module):
    """A module of a function."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        self.count.copy_(x[0])
        return x + self.count


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The programs that torch traces once more."""
    found: Calls = []
    run = functional.run_decompositions

    def counted(program, table):
        found.append(program)
        return run(program, table)

    monkeypatch.setattr(functional, "run_decompositions", counted)
    return found


X = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))


def without_gradients(x: Tensor) -> Tensor:
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        first, second = (x * 2).chunk(2, dim=1)
    return first + second


def result_of_a_region(x: Tensor) -> Tensor:
    with torch.autocast("cpu", enabled=False):
        return x.abs()


def changed_in_a_region(x: Tensor) -> Tensor:
    with torch.enable_grad():
        y = x * 2
        return y.add_(1)


def under_autocast(x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return (x.sign() @ x.sign().T).float()


def rotated(x: Tensor) -> Tensor:
    """Rotate pairs, as rotary embeddings often do."""
    made = torch.empty_like(x)
    made[..., 0::2] = -x[..., 1::2]
    made[..., 1::2] = x[..., 0::2]
    return made.type_as(x)


def of_rows(x: Tensor) -> Tensor:
    """A column that broadcasts, then a row that covers a part of it and is cast."""
    made = torch.zeros_like(x)
    made[:, 1:] = x[:, :1]
    made[1] = x[0].double()
    return made + 1


def read_between(x: Tensor) -> Tensor:
    made = torch.zeros_like(x)
    made[:, :2] = x[:, 2:]
    total = made.sum()
    made[:, 2:] = x[:, :2]
    return made + total


def read_through_the_part(x: Tensor) -> Tensor:
    made = torch.zeros_like(x)
    part = made[:, :2]
    part.copy_(x[:, 2:])
    return made[:, 1:] + part.sum()


def read_as_copied(x: Tensor) -> Tensor:
    made = torch.zeros_like(x)
    return made[:, :2].copy_(x[:, 2:]) + made[:, 1:3]


def part_of_a_part(x: Tensor) -> Tensor:
    made = torch.zeros_like(x)
    made[0][:2] = x[1, 2:]
    return made


def of_what_is_given(x: Tensor) -> Tensor:
    made = x.clone()
    made[:, :2] = x[:, 2:]
    return made


READ = {
    "regions that change nothing": without_gradients,
    "a region that gives the program's result": result_of_a_region,
    "parts written in turn": rotated,
    "parts that cover others": of_rows,
    "a result that nobody reads": lambda x: nn.functional.adaptive_max_pool2d(x[None], (1, 3), return_indices=True)[0],
    "composite ops": lambda x: nn.functional.layer_norm(x, (4,)).reshape(4, 2),
    "dropout outside of training": lambda x: nn.functional.dropout(x, 0.5, training=False) * 2,
    "several results": lambda x: torch.cat(x.chunk(2, dim=1)[::-1], 1),
    "a cast, whose metadata exporting checks": lambda x: (x > 0).to(torch.float32) + x,
}

TRACED = {
    "a region that casts": under_autocast,
    "a region that changes the program's result": changed_in_a_region,
    "what is read between the parts": read_between,
    "a part that is read": read_through_the_part,
    "a copy that is read": read_as_copied,
    "a part of a part": part_of_a_part,
    "parts of what is not made for them": of_what_is_given,
    "a change in place": lambda x: (x * 1).add_(2),
    "statistics of the batch itself": lambda x: nn.functional.batch_norm(x, None, None, training=True),
    "an op that torch decomposes": lambda x: torch.diff(x, dim=1),
}


@pytest.mark.parametrize("case", READ)
def test_what_the_table_lists_is_read_as_exported(case: str, traces: Calls):
    module = Of(READ[case])
    compiled = ttc.compile(module, X, dtype="fp32")
    assert traces == []
    torch.testing.assert_close(torch.from_numpy(compiled.run(X.numpy())["output"]), module(X))


@pytest.mark.parametrize("case", TRACED)
def test_other_programs_are_traced(case: str, traces: Calls):
    module = Of(TRACED[case])
    compiled = ttc.compile(module, X, dtype="fp32")
    assert traces
    torch.testing.assert_close(torch.from_numpy(compiled.run(X.numpy())["output"]), module(X))


def test_programs_with_state_are_traced(traces: Calls):
    ttc.compile(Counter(), X, dtype="fp32")
    assert traces


class Regions(nn.Module):
    """Gives results of a region in another order, one of them twice, beside one of no region."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        with torch.enable_grad():
            first, second = x * 2, x.view(4, 2)
        return {"second": second, "first": first, "again": second, "own": x + 1}


def test_results_of_regions_keep_their_places():
    found, wanted = ttc.compile(Regions(), X, dtype="fp32")(X), Regions()(X)
    assert list(found) == list(wanted)
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name])


def swapped(x: Tensor) -> Tensor:
    y = x.clone()
    y[0], y[1] = x[1], x[0]
    return y


@pytest.mark.parametrize("module", [Counter(), Of(swapped), Of(lambda x: torch.topk(x, 2).values)])
def test_the_users_own_program_stays_as_it_was(module: nn.Module):
    program = torch.export.export(module, (torch.rand(4, 4),))
    before = str(program.graph)
    ttc.compile(program)
    assert str(program.graph) == before
