"""The emitted Python: its lines, and that it runs with the real ttnn."""

import ast
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.analysis.test_residency import LOOP
from tests.cards import EACH_CARD
from ttc.analysis.script import script
from ttc.backend.pipeline import PIPELINE
from ttc.backend.plan.deallocate_after_last_use import deallocate_after_last_use
from ttc.calls.target import TARGETS
from ttc.ir import Graph, TensorType, verify
from ttc.runtime.check.interpreter import surroundings
from ttc.runtime.file.artifact import save
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.program import Program, parse_program, weight_types

PROGRAM = """graph {
  %x: bf16[1,40,64] tile dram = input(name="pixel values")
  %w: bf16[64,96] tile dram = const(ref="encoder.layer.0.fc.weight")
  %b: bf16[96] tile dram = const(ref="encoder.layer.0.fc.bias")
  %fc: bf16[1,40,96] tile dram = ttnn.linear(%x, %w, bias=%b, activation="gelu", compute_kernel_config=ComputeKernelConfig(), core_grid=CoreGrid(y=8, x=8))
  %v: bfp8[96,64] tile dram = const(ref="encoder.layer.1.fc.weight")
  %class: bf16[1,40,64] tile dram = ttnn.linear(%fc, %v, compute_kernel_config=ComputeKernelConfig(), core_grid=CoreGrid(y=4, x=8))
  %k: f32[64] tile dram = const(ref="scale")
  %k.bf16: bf16[64] tile dram = ttnn.typecast(%k, bf16)
  %i: i32[1,40,64] tile dram = input(name="bias")
  %2: bf16[1,40,64] tile dram = ttnn.typecast(%i, bf16)
  %3: bf16[1,40,64] tile dram = ttnn.add(%class, %2)
  %4: bf16[1,40,64] tile dram = ttnn.multiply(%3, %k.bf16)
  %5: bf16[1,40,64] tile dram = ttnn.clamp(%4, min=-2.0)
  return "last hidden state"=%5, "scale"=%k
}"""  # noqa: E501

RUN = """def compute(device, given, w):
    \"\"\"The results of a run from tensors on the device, which stay, and weights.\"\"\"
    x = given["pixel values"]  # [1, 40, 64] bf16 tile dram

    # encoder.layer.0
    fc = ttnn.linear(
        x, w["w"], bias=w["b"], activation="gelu", compute_kernel_config=COMPUTE_KERNEL_CONFIG, core_grid=CORE_GRID,
    )  # [1, 40, 96] bf16 tile dram

    # encoder.layer.1
    class_ = ttnn.linear(
        fc, w["v"], compute_kernel_config=COMPUTE_KERNEL_CONFIG, core_grid=CORE_GRID_2,
    )  # [1, 40, 64] bf16 tile dram
    ttnn.deallocate(fc)
    i = given["bias"]  # [1, 40, 64] i32 tile dram
    t2 = ttnn.typecast(i, ttnn.bfloat16)  # [1, 40, 64] bf16 tile dram
    t3 = ttnn.add(class_, t2)  # [1, 40, 64] bf16 tile dram
    ttnn.deallocate(class_)
    ttnn.deallocate(t2)
    t4 = ttnn.multiply(t3, w["k.bf16"])  # [1, 40, 64] bf16 tile dram
    ttnn.deallocate(t3)
    t5 = ttnn.clamp(t4, min=-2.0)  # [1, 40, 64] bf16 tile dram
    ttnn.deallocate(t4)
    return {"last hidden state": t5, "scale": w["k"]}
"""


def deallocated(text: str) -> Graph:
    return deallocate_after_last_use(verify(parse_program(text)), TARGETS["n150"])


def test_one_statement_a_call_in_ttnns_own_words():
    source = script(deallocated(PROGRAM))
    ast.parse(source)
    assert RUN in source
    assert "CORE_GRID = ttnn.CoreGrid(y=8, x=8)\nCORE_GRID_2 = ttnn.CoreGrid(y=4, x=8)\n" in source
    assert '    w["k.bf16"] = ttnn.typecast(w["k"], ttnn.bfloat16)  # [64] bf16 tile dram\n    return w\n' in source
    assert (
        '    "pixel values": ((1, 40, 64), np.float32, ttnn.bfloat16, ttnn.TILE_LAYOUT, ttnn.DRAM_MEMORY_CONFIG),\n'
        in source
    )
    assert '    "scale": ((64,), ttnn.float32, ttnn.TILE_LAYOUT),\n' in source
    assert (
        '    "v": ("encoder.layer.1.fc.weight", ttnn.bfloat8_b, ttnn.TILE_LAYOUT, ttnn.DRAM_MEMORY_CONFIG),\n' in source
    )
    assert "ttc." not in source.replace("MODEL.ttc", "").replace(".ttc file", "").replace("by ttc.", "")


def test_names_are_python_names_and_differ():
    source = script(
        parse_program("""graph {
          %x: bf16[32] tile dram = input(name="x")
          %a.b: bf16[32] tile dram = ttnn.relu(%x)
          %a_b: bf16[32] tile dram = ttnn.relu(%a.b)
          %run: bf16[32] tile dram = ttnn.relu(%a_b)
          %7.x: bf16[32] tile dram = ttnn.relu(%run)
          return "y"=%7.x
        }""")
    )
    ast.parse(source)
    lines = [line.partition("  # ")[0] for line in source.splitlines()]
    start = lines.index("    a_b = ttnn.relu(x)")
    assert lines[start + 1 : start + 3] == ["    a_b_2 = ttnn.relu(a_b)", "    run_2 = ttnn.relu(a_b_2)"]
    assert lines[start + 3] == "    t7_x = ttnn.relu(run_2)"


def lines_of(body: str) -> list[str]:
    """The lines of `run` but for its head and its end."""
    source = script(parse_program(f"graph {{ {body} }}"))
    ast.parse(source)
    return source.partition('and weights."""\n')[2].partition("\n    return")[0].splitlines()


@pytest.mark.parametrize(("name", "lines"), [("n" * 54, 1), ("n" * 55, 3)])
def test_a_line_of_120_characters_is_whole_and_a_longer_one_is_not(name: str, lines: int):
    found = lines_of(f"""
      %x: bf16[32,64] tile dram = input(name="x")
      %{name}: bf16[32,64] tile dram = ttnn.clamp(%x, min=-2.0, max=3.0)
      %y: bf16[32,64] tile dram = ttnn.relu(%{name})
      return "y"=%y""")
    start = next(i for i, line in enumerate(found) if line.startswith(f"    {name} = "))
    assert len(found[start : found.index(f"    y = ttnn.relu({name})  # [32, 64] bf16 tile dram")]) == lines
    assert max(map(len, found)) <= 120
    assert (max(map(len, found[1:])) == 120) is (lines == 1)


def test_every_result_is_described_and_arguments_fill_their_lines():
    heads = ", ".join(f"%{name}: bf16[1,2,64,32] tile l1" for name in ("queries", "keys", "values"))
    found = lines_of(
        f"""
      %x: bf16[1,64,192] tile l1 = input(name="x")
      {heads} = ttnn.transformer.split_query_key_value_and_split_heads(%x, num_heads=2, transpose_key=false)
      %m: bf16[1,1,64,64] tile dram = input(name="m")
      %attention: bf16[1,2,64,32] tile height_sharded = ttnn.transformer.scaled_dot_product_attention(%queries, %keys, \
%values, attn_mask=%m, is_causal=false, scale=0.25, memory_config=MemoryConfig(buffer=L1))
      return "y"=%attention""".replace("tile height_sharded", "tile l1")
    )
    assert "    )  # " + "; ".join(["[1, 2, 64, 32] bf16 tile l1"] * 3) in found
    assert max(map(len, found)) <= 120
    start = found.index("    attention = ttnn.transformer.scaled_dot_product_attention(")
    assert found[start + 1 : start + 4] == [
        "        queries, keys, values, attn_mask=m, is_causal=False, scale=0.25, memory_config=ttnn.L1_MEMORY_CONFIG,",
        "        compute_kernel_config=COMPUTE_KERNEL_CONFIG,",
        "    )  # [1, 2, 64, 32] bf16 tile l1",
    ]


def test_the_body_of_a_loop_has_comments_within_the_width():
    source = script(parse_program(LOOP))
    ast.parse(source)
    assert "        new = ttnn.add(h0, t_2, output_tensor=h0)  # [1, 1, 2, 64] bf16 tile l1\n" in source
    run = source.partition("def compute(")[2].partition("__main__")[0].splitlines()
    assert max(map(len, run)) <= 120
    assert any(line.startswith("            ") for line in run), "what is too long for its line goes on"


MOCK = """
import os, runpy, sys
source, package, target = sys.argv[1:4]
sys.path.insert(0, package)
from ttc.runtime.mock import environment
os.environ.update(environment(target))
sys.path.pop(0)
del sys.argv[1:4]
runpy.run_path(source, run_name="__main__")
"""


@pytest.mark.parametrize("target", EACH_CARD)
def test_runs_where_ttnn_and_numpy_are(target: str, tmp_path, ttnn_python: str):
    graph = parse_program(PROGRAM)
    for step in PIPELINE:
        graph = verify(step(graph, TARGETS[target]))
    inputs, outputs = (
        tuple((name, TensorType(type.dtype, type.shape)) for name, type in side.items()) for side in graph.signature()
    )
    program = Program(graph, inputs, outputs, target, "bf16")
    random = np.random.default_rng(0)
    weights = {
        ref: random.standard_normal(type.shape).astype(np.float32) for ref, type in weight_types(program).items()
    }
    save(tmp_path / "model.ttc", [Bucket.exact(program)], "", weights.items())
    (tmp_path / "program.py").write_text(script(graph))
    package = str(Path(__file__).parents[2])
    done = subprocess.run(
        [
            ttnn_python,
            "-c",
            MOCK,
            str(tmp_path / "program.py"),
            package,
            target,
            str(tmp_path / "model.ttc"),
            "--runs",
            "3",
        ],
        env=surroundings(ttnn_python),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    times = [line.partition(":")[0] for line in done.stdout.splitlines() if line.startswith("run ")]
    assert times == ["run 1", "run 2", "run 3"]
    assert "last hidden state (1, 40, 64) float32\nscale (64,) float32\n" in done.stdout
