"""A `.pt2` file is data: whatever a file holds, nothing of it is run, imported, unpickled or compiled."""

from __future__ import annotations

import io
import json
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

import ttc
from tests.frontend.archive import archives
from tests.fuzz.mutate_pt2 import CONSTANTS, PROGRAM, SAMPLES, WEIGHTS, packed, unpacked
from ttc.errors import TtcError

CANARY = "canary"
STARTS = {
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "socket.connect",
    "pickle.find_class",
}


class Watch:
    """Notes what is started or unpickled, and every source, import or path with the canary's name in it."""

    def __init__(self) -> None:
        self.seen: list[str] | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.seen is None:
            return
        texts = [str(argument) for argument in arguments[:1]]
        if event == "exec":
            texts = [f"{arguments[0].co_names} {arguments[0].co_consts}"]
        named = event in ("compile", "import", "exec", "open") and CANARY in texts[0]
        if event in STARTS or named:
            self.seen.append(f"{event} {texts}")


WATCH = Watch()


@pytest.fixture(scope="module")
def hooked() -> None:
    sys.addaudithook(WATCH)


@pytest.fixture
def seen(hooked: None) -> Iterator[list[str]]:
    WATCH.seen = found = []
    yield found
    WATCH.seen = None


class Bomb:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return exec, (f"import {CANARY}",)


BOMB = pickle.dumps(Bomb())
CALL = f"__import__('os').system('touch {CANARY}')"


def torch_bomb() -> bytes:
    buffer = io.BytesIO()
    torch.save(Bomb(), buffer)
    return buffer.getvalue()


def graph_of(tree: Any) -> Any:
    return tree["graph_module"]["graph"]


def expression(text: str) -> Callable[[Any], Any]:
    def change(tree: Any) -> Any:
        changed = re.sub(r'"expr_str": "[^"]*"', lambda found: f'"expr_str": {json.dumps(text)}', json.dumps(tree))
        return json.loads(changed)

    return change


def everywhere(old: str, new: str) -> Callable[[Any], Any]:
    """A name replaced wherever it stands, so that the program stays whole."""

    def change(tree: Any) -> Any:
        return json.loads(json.dumps(tree).replace(json.dumps(old), json.dumps(new)))

    return change


def target(text: str) -> Callable[[Any], Any]:
    def change(tree: Any) -> None:
        graph_of(tree)["nodes"][-1]["target"] = text

    return change


def set_in(*path: Any, to: Any) -> Callable[[Any], Any]:
    def change(tree: Any) -> None:
        *way, last = path
        for key in way:
            tree = tree[key]
        tree[last] = to

    return change


def structure(side: str, kind: str, context: Any) -> Callable[[Any], Any]:
    leaf = {"type": None, "context": None, "children_spec": []}
    text = json.dumps([1, {"type": kind, "context": context, "children_spec": [leaf, leaf, leaf]}])

    def change(tree: Any) -> None:
        tree["graph_module"]["module_call_graph"][0]["signature"][side] = text

    return change


def keyword_name(tree: Any) -> None:
    signature = tree["graph_module"]["module_call_graph"][0]["signature"]
    signature["in_spec"] = signature["in_spec"].replace("mode", f"mode=print({CANARY})")


def pickled(member: dict[str, Any]) -> None:
    next(iter(member["config"].values()))["use_pickle"] = True


def custom(path: str) -> Callable[[Any], Any]:
    return lambda tree: {
        "config": {"x": {"path_name": path, "is_param": False, "use_pickle": True, "tensor_meta": None}}
    }


def region(kind: str) -> Callable[[Any], Any]:
    def change(tree: Any) -> None:
        argument = {"name": "", "arg": {kind: CALL if kind == "as_operator" else {"name": "x", "class_fqn": CALL}}}
        graph_of(tree)["nodes"][0]["inputs"].append(argument)

    return change


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "expression": expression(CALL),
    "attributes in an expression": expression(f"().__class__.__base__.{CANARY}"),
    "a symbol's name": expression(f"Symbol('s77', {CANARY}=True)"),
    "a call of a symbol": expression(f"s77({CANARY})"),
    "a lambda": expression(f"(lambda: {CANARY})()"),
    "a comprehension": expression(f"[{CANARY} for s0 in s1]"),
    "a walrus": expression(f"({CANARY} := 1)"),
    "a hidden name": expression(f"s77 + {CANARY}"),
    "a guard": set_in("guards_code", to=[f"{CALL} or L['x'].size()[0] > 1"]),
    "a guard's key": set_in("guards_code", to=[f"L[{CANARY}].size()[0] > 1"]),
    "a range": set_in("range_constraints", to={CALL: {"min_val": 2, "max_val": 9}}),
    "an argument's name": everywhere("x", f"x=print({CANARY})"),
    "a tensor's name": everywhere("sum_1", f"sum_1 = 0\n    import {CANARY}\n    y"),
    "a tensor's name with a return": everywhere("sum_1", f"sum_1\r    import {CANARY}"),
    "a node's name": set_in("graph_module", "graph", "nodes", -1, "name", to=f"a; import {CANARY}"),
    "a graph's name": everywhere("submod_3", f"submod_3; import {CANARY}"),
    "a parameter's name": everywhere("linear.weight", f'linear.weight"), __import__("{CANARY}'),
    "a constant text": everywhere("plain", f"plain' or __import__('{CANARY}') or '"),
    "a parameter of forward": set_in(
        "graph_module", "module_call_graph", 0, "signature", "forward_arg_names", to=["x", f"y=print({CANARY})", "mode"]
    ),
    "a keyword": keyword_name,
    "a target": target(f"torch.{CANARY}"),
    "a target by way of torch": target("torch.hub.load"),
    "a target by way of modules": target("torch.os.system"),
    "a target by way of an op": target("torch.ops.aten.sum.default.__class__"),
    "a library": target("torch.ops.load_library"),
    "a file": target("torch.ops.aten.from_file.default"),
    "Python's call": target("_operator.call"),
    "an attribute getter": target("_operator.attrgetter"),
    "a factorial": target("math.factorial"),
    "an extension": target(f"#{CANARY}:x"),
    "control flow": target("torch.ops.higher_order.cond"),
    "an operator as operand": region("as_operator"),
    "an object as operand": region("as_custom_obj"),
    "an output class": structure("out_spec", f"{CANARY}.Class", '["a", "b", "c"]'),
    "a default factory": structure(
        "out_spec",
        "collections.defaultdict",
        {"default_factory_module": CANARY, "default_factory_name": "x", "dict_context": ["a", "b", "c"]},
    ),
    "an enumeration as key": structure(
        "out_spec", "builtins.dict", json.dumps([{"__enum__": True, "fqn": f"{CANARY}:x", "name": "y"}, "b", "c"])
    ),
    "a named tuple": structure("out_spec", "collections.namedtuple", f"{CANARY}.Class"),
    "a stack of modules": set_in(
        "graph_module", "graph", "nodes", -1, "metadata", to={"nn_module_stack": f"a,b\n,{CANARY}", "from_node": CALL}
    ),
    "a source": set_in(
        "graph_module", "graph", "nodes", -1, "metadata",
        to={"stack_trace": f'File "x", line 1\nimport {CANARY}', "source_fn_stack": f"a,torch.{CANARY}"},
    ),
    "a dialect": set_in("verifiers", to=[CANARY]),
    "a device": everywhere("cpu", CANARY),
}  # fmt: skip


MEMBERS: dict[str, tuple[str, Callable[[Any], Any] | bytes]] = {
    "sample inputs": (SAMPLES, BOMB),
    "a pickled weight": (WEIGHTS, pickled),
    "an object among constants": (CONSTANTS, custom("custom_obj_0")),
    "an opaque object": (CONSTANTS, custom("opaque_obj_0")),
    "weights of an older torch": ("data/weights/model.pt", BOMB),
    "constants of an older torch": ("data/constants/model.pt", BOMB),
    "a path for a weight": (WEIGHTS, everywhere("weight_0", f"../../../../{CANARY}")),
    "a compiled model": (f"data/aotinductor/model/{CANARY}.so", b"\x7fELF"),
    "weights of a compiled model": ("data/aotinductor/model/weights_config.json", b"{}"),
    "an extra file": (f"extra/{CANARY}", BOMB),
}


SIZES_MATTER = (
    "expression",
    "guard",
    "symbol",
    "range",
    "lambda",
    "comprehension",
    "walrus",
    "hidden",
    "forward",
    "key",
)
"""Words in the names of what torch does with sizes or calls, which it does with programs of open sizes alone."""


def crafted() -> Iterator[Any]:
    for name, change in PROGRAMS.items():
        base = "dynamic" if any(word in name for word in SIZES_MATTER) else "static"
        yield pytest.param(base, PROGRAM, change, id=name)
    for name, (member, change) in MEMBERS.items():
        yield pytest.param("static", member, change, id=name)


@pytest.mark.parametrize(("base", "member", "change"), list(crafted()))
def test_nothing_of_a_file_runs(base: str, member: str, change: Any, tmp_path: Path, seen: list[str]):
    data = getattr(archives, base)()
    data = (
        archives.with_member(data, member, change)
        if isinstance(change, bytes)
        else archives.changed(data, member, change)
    )
    members = unpacked(data)
    for name in ("custom_obj_0", "opaque_obj_0", "weight_0"):  # whoever unpickles one of them runs code
        folder = "weights" if name == "weight_0" else "constants"
        if member in (WEIGHTS, CONSTANTS):
            members[f"data/{folder}/{name}"] = torch_bomb()
    path = tmp_path / "model.pt2"
    path.write_bytes(packed(members))
    seen.clear()
    with suppress(TtcError):
        ttc.compile(path, lengths={"s77": 8} if base == "dynamic" else None)
    assert not seen


def test_the_watch_sees_what_torch_itself_would_run(tmp_path: Path, seen: list[str]):
    path = tmp_path / "model.pt2"
    path.write_bytes(archives.with_member(archives.static(), SAMPLES, torch_bomb()))
    with pytest.raises(TtcError):
        ttc.compile(path, trust=True)
    assert any(line.startswith("import") for line in seen)


@pytest.mark.parametrize("base", ["static", "dynamic"])
def test_files_without_malice_compile_and_run(base: str, tmp_path: Path, seen: list[str]):
    path = tmp_path / "model.pt2"
    path.write_bytes(archives.with_member(getattr(archives, base)(), SAMPLES, BOMB))
    compiled = ttc.compile(path, dtype="fp32", lengths={"s77": 3} if base == "dynamic" else None)
    assert not seen
    x, y = archives.inputs()
    torch.manual_seed(0)
    with torch.no_grad():
        wanted = archives.Layer().eval()(x, y)
    found = compiled.run({"x": x.numpy(), "y": y.numpy()})
    assert list(found) == ["rows", "pair.0"]
    assert torch.allclose(torch.from_numpy(found["rows"]), wanted["rows"], atol=1e-5)
    assert torch.allclose(torch.from_numpy(found["pair.0"]), wanted["pair"][0], atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "said"), [("use_pickle", "linear.weight is stored as a pickle"), ("guard", "may be code")]
)
def test_what_could_run_says_how_to_trust_it(kind: str, said: str, tmp_path: Path):
    changes = {
        "use_pickle": (WEIGHTS, pickled),
        "guard": (PROGRAM, set_in("guards_code", to=[CALL])),
    }
    path = tmp_path / "model.pt2"
    path.write_bytes(archives.changed(archives.dynamic(), *changes[kind]))
    with pytest.raises(TtcError, match=rf"{re.escape(said)}.*--trust"):
        ttc.compile(path, lengths={"s77": 8})


def test_guards_still_hold(tmp_path: Path):
    path = tmp_path / "model.pt2"
    path.write_bytes(archives.program(archives.dynamic(), set_in("guards_code", to=["L['x'].size()[0] != 8"])))
    with pytest.raises(TtcError, match=r"x\.size\(\)\[0\] != 8"):
        ttc.compile(path, lengths={"s77": 8})
    ttc.compile(path, lengths={"s77": 9})
