import json

import pytest

from tests.runtime import mlp
from ttc.calls.target import TARGETS
from ttc.errors import InputError, TtcError
from ttc.runtime import check as checking
from ttc.runtime.check import check, check_many

N150, P150 = TARGETS["n150"], TARGETS["p150"]
TEXT = str(mlp.graph())


def changed(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new)


@pytest.mark.parametrize("target", [N150, P150], ids=lambda target: target.name)
def test_a_right_program_is_accepted_with_its_numbers(target, ttnn_python):
    report = check(mlp.program(), target)
    assert report.ok, report
    assert report.calls == 2  # what is done to the weight, and deallocation, is not counted
    assert [entry["call"] for entry in report.per_call] == ["ttnn.linear", "ttnn.linear"]
    assert report.device_programs == sum(entry["programs"] for entry in report.per_call) >= 2
    assert report.conversions == 0
    assert 64 * mlp.HIDDEN * 2 <= report.dram_bytes < 2**20
    assert 0 < report.peak_l1_per_core < target.l1_bytes


def test_its_own_target_is_the_default_and_the_report_is_json(ttnn_python):
    found = json.loads(json.dumps(check(mlp.program()).to_dict()))
    keys = "ok calls device_programs conversions dram_bytes peak_l1_per_core spec_mismatches refusal"
    assert set(keys.split()) <= set(found)
    assert found["ok"] is True


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("%y: bf16[4,10]", "%y: bf16[4,11]", "%y of ttnn.linear: shape [4, 11] predicted, [4, 10] found"),
        ("%y: bf16", "%y: f32", "%y of ttnn.linear: dtype f32 predicted, bf16 found"),
        ("%y: bf16[4,10] tile dram", "%y: bf16[4,10] tile l1", "%y of ttnn.linear: buffer l1 predicted, dram found"),
        (
            "%y: bf16[4,10] tile dram",
            "%y: bf16[4,10] tile dram height_sharded 8x8 of 32x32",
            "memory layout height_sharded predicted, interleaved found; shard ShardSpec",
        ),
        (
            "%y: bf16[4,10] tile dram",
            "%y: bf16[4,10] row_major dram",
            "padded shape [4, 10] predicted, [32, 32] found; layout row_major predicted, tile found",
        ),
    ],
)
def test_a_wrong_prediction_is_shown_with_both_sides(old, new, message, ttnn_python):
    (report,) = check_many([changed(old, new)], N150)
    assert not report.ok
    assert report.refusal is None
    assert len(report.spec_mismatches) == 1
    assert message in report.spec_mismatches[0]


def test_the_first_refused_call_is_named_in_ttnns_own_words(ttnn_python):
    text = changed("ttnn.linear(%hidden, %w2", "ttnn.linear(%hidden, %w1")
    (report,) = check_many([text], N150)
    assert not report.ok
    assert report.refusal is not None
    assert report.refusal.startswith("The width of the first tensor must be equal to the height of the second tensor.")
    assert "(in: %y: bf16[4,10] tile dram = ttnn.linear(%hidden, %w1" in report.refusal
    assert report.calls == 1


@pytest.mark.parametrize("target", [N150, P150], ids=lambda target: target.name)
def test_l1_that_does_not_suffice_is_refused(target, ttnn_python):
    text = """graph {
  %x: bf16[8192,8192] tile l1 = input(name="x")
  %y: f32[8192,8192] tile l1 = ttnn.typecast(%x, f32)
  %z: f32[8192,8192] tile l1 = ttnn.typecast(%y, f32)
  return "y"=%y, "z"=%z
}
"""
    (report,) = check_many([text], target)
    assert report.refusal is not None
    assert report.refusal.startswith("Out of Memory: Not enough space to allocate")


def test_conversions_are_counted_by_device_op(ttnn_python):
    text = """graph {
  %x: bf16[64,64] tile dram = input(name="x")
  %r: bf16[64,64] row_major dram = ttnn.to_layout(%x, ROW_MAJOR)
  %t: bf16[64,64] tile dram = ttnn.to_layout(%r, TILE)
  %f: f32[64,64] tile dram = ttnn.typecast(%t, f32)
  %s: f32[64,64] tile l1 height_sharded 2x1 of 32x64 = ttnn.to_memory_config(%f, SHARDED)
  return "y"=%s
}
""".replace("SHARDED", "MemoryConfig(buffer=L1, sharding=HEIGHT_SHARDED, shard=ShardSpec(grid=[2, 1], shape=[32, 64]))")
    (report,) = check_many([text], N150)
    assert report.ok, report
    assert report.conversions == report.device_programs == 4
    kinds = ("InterleavedToSharded", "Tilize", "Typecast", "Untilize")
    assert all(name.startswith(kind) for name, kind in zip(sorted(report.conversion_ops), kinds, strict=True))


def test_residents_of_l1_count_into_the_peak(ttnn_python):
    text = """graph {{
  %x: bf16[2048,2048] tile dram = input(name="x")
  %r: bf16[2048,2048] tile {where} = ttnn.to_memory_config(%x, MemoryConfig(buffer={buffer}))
  %f: f32[2048,2048] tile dram = ttnn.typecast(%r, f32, memory_config=MemoryConfig())
  return "r"=%r, "y"=%f
}}
"""
    in_dram = text.format(where="dram", buffer="DRAM").replace(
        "ttnn.to_memory_config(%x, MemoryConfig(buffer=DRAM))", "ttnn.typecast(%x, bf16)"
    )
    in_l1, in_dram = check_many([text.format(where="l1", buffer="L1"), in_dram], N150)
    assert in_l1.ok, in_l1
    assert in_l1.peak_l1_per_core - in_dram.peak_l1_per_core >= 2048 * 2048 * 2 / N150.cores * 0.9


def test_many_programs_share_a_process_and_leave_nothing_behind(ttnn_python):
    bad = changed("%hidden, %w2", "%hidden, %w1")
    found = check_many([TEXT, "no program", bad, TEXT, bad, TEXT], N150)
    assert [report.ok for report in found] == [True, False, False, True, False, True]
    assert found[1].refusal == "program text, line 1: expected 'graph', found 'no'"
    assert found[0] == found[3] == found[5]


def test_a_model_larger_than_memory_is_checked_without_data(ttnn_python):
    layers = range(40)
    weights = "\n".join(f'  %w{i}: bf16[11264,11264] tile dram = const(ref="w{i}")' for i in layers)
    calls = "\n".join(f"  %x{i + 1}: bf16[32,11264] tile dram = ttnn.linear(%x{i}, %w{i})" for i in layers)
    head = f'  %x0: bf16[32,11264] tile dram = input(name="x")\n{weights}\n{calls}\n  return "y"=%x40'
    (report,) = check_many([f"graph {{\n{head}\n}}\n"], N150)
    assert report.ok, report
    assert report.calls == 40
    assert report.dram_bytes > 10e9


def test_a_full_card_is_refused(ttnn_python):
    weights = "\n".join(f'  %w{i}: f32[32768,32768] tile dram = const(ref="w{i}")' for i in range(4))
    outputs = ", ".join(f'"w{i}"=%w{i}' for i in range(4))
    (report,) = check_many([f"graph {{\n{weights}\n  return {outputs}\n}}\n"], N150)
    assert report.refusal is not None
    assert "DRAM buffer across 12 banks" in report.refusal
    assert '(in: %w2: f32[32768,32768] tile dram = const(ref="w2"))' in report.refusal


def test_progress_is_heard(ttnn_python):
    heard = []
    check_many([TEXT], N150, lambda step, steps: heard.append((step, steps)))
    assert heard == [(i, 9) for i in range(9)]


@pytest.mark.parametrize("coloured", [True, False])
def test_warnings_of_the_library_are_faults(ttnn_python, monkeypatch, coloured: bool):
    monkeypatch.setenv("CI", "true") if coloured else monkeypatch.delenv("CI", raising=False)
    text = """graph {
  %x: bf16[64,64] tile dram = input(name="x")
  %z: bf16[64,64] tile dram = input(name="z")
  %y: bf16[64,64] tile dram = ttnn.matmul(%x, %z, compute_kernel_config=ComputeKernelConfig(math_fidelity=FIDELITY))
  return "y"=%y
}
"""
    four, three = (text.replace("FIDELITY", name) for name in ("HiFi4", "HiFi3"))
    (warned,) = check_many([four], N150)
    assert not warned.ok
    assert len(warned.warnings) == 1
    assert warned.warnings[0].startswith("On Wormhole with fp32 accumulation, output accuracy can be worse with HiFi4")
    lint, warning = warned.faults
    assert lint.startswith("unsafe on a card: ttnn.matmul sums in fp32 at HiFi4, and wormhole_b0 is right to HiFi3")
    assert warning == f"ttnn warns: {warned.warnings[0]}"
    assert check_many([three], N150)[0].ok
    assert check_many([four], P150)[0].ok


def test_a_warning_is_of_the_program_that_was_checked_meanwhile(stub, tmp_path):
    before, warned, after = check_many(["good", "warn", "good"], N150)
    assert before.warnings == after.warnings == ()
    assert warned.warnings == ("mind the gap (see [1]: 2)", "coloured")


STUB = """#!/bin/sh
rest='"spec_mismatches": [], "per_call": [], "unsafe": []'
echo '{"ready": "n150"}'
while read -r program; do
  case "$program" in
    *crash*) echo '{"step": 3, "steps": 9, "line": "ttnn.bad(%x)"}'; echo 'terminate called' >&2; kill -ABRT $$ ;;
    *warn*) echo '2026-01-01 00:00:00.000 | warning  |      Op | mind the gap (see [1]: 2) (gap.cpp:66)' >&2
      printf "t | warning  | \\033[35mOp\\033[0m | \\033[37mcoloured\\033[0m \\033[90m(x.cpp:1)\\033[0m\\n" >&2
      echo 'time | info | Op | nothing' >&2
      echo 'time | warning  | Op | ttnn::to_layout: memory_config is specified but the tensor is already in the '\
'requested layout! So, (to_layout.cpp:1)' >&2
      echo '{"found": {"calls": 1, "conversions": {}, '"$rest"'}}' ;;
    *hang*) echo '{"step": 4, "steps": 9, "line": "ttnn.slow(%x)"}'; sleep 60 ;;
    *) echo '{"found": {"calls": 1, "conversions": {"Tilize": 2}, '"$rest"'}}' ;;
  esac
done
"""


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """A worker that crashes or hangs where its program says so."""
    path = tmp_path / "worker"
    path.write_text(STUB)
    path.chmod(0o755)
    monkeypatch.setattr(checking, "ttnn_interpreter", lambda: str(path))
    monkeypatch.setattr(checking, "SECONDS_PER_STEP", 0.5)


def test_a_crash_is_reported_with_its_call_and_the_rest_is_checked(stub):
    good, crashed, hung, again = check_many(["good", "crash", "hang", "good"], N150)
    assert good.ok
    assert again == good
    assert good.conversions == 2
    assert crashed.refusal == "ttnn crashed (SIGABRT): terminate called (in: ttnn.bad(%x))"
    assert hung.refusal == "ttnn did not answer within 0.5 s (in: ttnn.slow(%x))"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "#!/bin/sh\necho 'no module named ttnn' >&2\nexit 1\n",
            "with ttnn: ended with status 1: no module named ttnn",
        ),
        ("no program", "cannot be started: exec format error"),
    ],
)
def test_a_python_that_cannot_is_named(tmp_path, monkeypatch, script, message):
    path = tmp_path / "python"
    path.write_text(script)
    path.chmod(0o755)
    monkeypatch.setattr(checking, "ttnn_interpreter", lambda: str(path))
    with pytest.raises(TtcError, match=message):
        check_many(["good"], N150)


def test_other_targets_are_refused_by_name():
    program = mlp.program()
    with pytest.raises(InputError, match=f"target 't3000' is not supported yet; supported are {', '.join(TARGETS)}"):
        check(type(program)(program.graph, program.inputs, program.outputs, "t3000", "bf16"))
