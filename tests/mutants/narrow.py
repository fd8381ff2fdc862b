"""Which tests are asked about a source file: those that mirror it, and the samples of its family."""

from __future__ import annotations

from pathlib import Path

BUCKETS = ("tests/test_buckets.py",)
SESSION = ("tests/runtime/test_session.py", "tests/runtime/test_artifact.py")
SIMPLIFY = (
    "tests/passes/test_simplify.py",
    "tests/passes/test_simplify_empty.py",
    "tests/passes/test_simplify_index.py",
)
CHANNELS_LAST = ("tests/passes/test_channels_last.py",)
CONV = ("tests/backend/test_conv.py",)
RECURRENT = ("tests/backend/test_recurrent.py",)

ALSO = {
    "ttc/analysis/residency.py": ("tests/backend/test_placement.py",),
    "ttc/backend/bodies.py": ("tests/backend/test_placement.py",),
    "ttc/backend/conv_plan.py": CONV,
    "ttc/backend/conv_transpose.py": CONV,
    "ttc/backend/host.py": ("tests/test_host.py",),
    "ttc/backend/loop.py": RECURRENT,
    "ttc/backend/lowering.py": (
        "tests/backend/test_precision.py",
        "tests/backend/test_matmul.py",
        "tests/test_host.py",
    ),
    "ttc/backend/moves.py": ("tests/backend/test_shape.py", "tests/backend/test_heads.py"),
    "ttc/backend/resample.py": ("tests/backend/test_pool.py",),
    "ttc/backend/sequence.py": RECURRENT,
    "ttc/backend/spatial.py": (*CONV, "tests/backend/test_pool.py"),
    "ttc/backend/take.py": ("tests/backend/test_shape.py",),
    "ttc/calls/call.py": ("tests/calls/test_refusals.py", "tests/calls/test_matmul.py", "tests/backend/test_edges.py"),
    "ttc/calls/conv_transpose.py": (*CONV, "tests/calls/test_conv.py"),
    "ttc/calls/host.py": ("tests/test_host.py",),
    "ttc/calls/loop.py": RECURRENT,
    "ttc/calls/sizes.py": ("tests/calls/test_window.py", "tests/calls/test_conv.py"),
    "ttc/calls/spelling.py": ("tests/analysis/test_script.py",),
    "ttc/calls/target.py": ("tests/calls/test_matmul.py", "tests/analysis/test_cost.py"),
    "ttc/ops/constant.py": SIMPLIFY,
    "ttc/ops/folding.py": SIMPLIFY,
    "ttc/ops/gates.py": RECURRENT,
    "ttc/ops/interpret.py": SIMPLIFY,
    "ttc/ops/rules.py": ("tests/ops/test_type_rules.py",),
    "ttc/ops/torch_types.py": SIMPLIFY,
    "ttc/passes/cse.py": SIMPLIFY,
    "ttc/passes/decompose_skew.py": ("tests/passes/test_fuse_skew.py",),
    "ttc/passes/fold.py": SIMPLIFY,
    "ttc/passes/forms.py": CHANNELS_LAST,
    "ttc/passes/fuse_epilogue.py": ("tests/passes/test_fuse_linear.py",),
    "ttc/passes/match.py": ("tests/passes/test_fuse_activation.py", "tests/passes/test_fuse_attention.py"),
    "ttc/passes/normal.py": SIMPLIFY,
    "ttc/passes/rows.py": CHANNELS_LAST,
    "ttc/passes/simplify_shape.py": SIMPLIFY,
    "ttc/passes/simplify_value.py": SIMPLIFY,
    "ttc/runtime/bucket_file.py": BUCKETS,
    "ttc/runtime/buckets.py": BUCKETS,
    "ttc/runtime/check_worker.py": ("tests/runtime/test_check.py",),
    "ttc/runtime/checker.py": ("tests/runtime/test_check.py",),
    "ttc/runtime/device.py": SESSION,
    "ttc/runtime/device_null.py": SESSION,
    "ttc/runtime/host.py": ("tests/test_host.py",),
    "ttc/runtime/program.py": SESSION,
    "ttc/runtime/safetensors_file.py": ("tests/runtime/test_artifact.py",),
}
"""Files whose tests bear another name."""

FAMILIES = ("ttc/ops/", "ttc/backend/", "ttc/calls/", "ttc/runtime/emulator/")
"""Folders that hold files by family of ops: the samples of a family are tests of each of them."""


KINDS = {
    "conv_plan": ("conv",),
    "conv_transpose": ("conv",),
    "device": ("unary",),
    "edges": ("index",),
    "gates": ("recurrent",),
    "heads": ("attention",),
    "layout": ("shape",),
    "loop": ("recurrent",),
    "matmul": ("matmul", "recurrent"),
    "moves": ("shape",),
    "numerics": ("unary",),
    "pool": ("conv",),
    "registry": ("unary",),
    "repeat": ("shape",),
    "resample": ("conv", "shape"),
    "scan": ("reduce",),
    "sequence": ("recurrent",),
    "sizes": ("conv",),
    "spatial": ("conv", "shape"),
    "take": ("shape",),
    "ternary": ("recurrent",),
    "window": ("conv",),
}
"""Files named otherwise than the families of ops (files of `ttc/ops`) whose samples go through them."""


def families(path: str) -> tuple[str, ...]:
    """The families of ops whose samples are tests of a file."""
    return KINDS.get(Path(path).stem, (Path(path).stem,))


def narrow_tests(path: str, root: Path) -> list[str]:
    """The test files for a source file, the narrowest first; `SAMPLES` of its family last."""
    inner, name = Path(path).relative_to("ttc").parent, Path(path).stem
    found = [*_mirrors(root / "tests" / inner, name, root), *ALSO.get(path, ())]
    if inner.parts[0] == "frontend":
        found += _frontend(inner.parts[-1], name, root)
    if inner.parts[0] == "calls":
        found += [
            "tests/calls/test_refusals.py",
            "tests/calls/test_workspace.py",
            *_mirrors(root / "tests/backend", name, root),
        ]
    if inner == Path("ops"):
        found.append("tests/ops/test_type_rules.py")
    if "padding" in inner.parts:
        found += _all(root / "tests/ops/padding", "", root)
        found += [name for name in _all(root / "tests/passes", "padding", root) if name not in LONG]
    if path.startswith(FAMILIES) and "padding" not in inner.parts:
        found.append(SAMPLES)
    return list(dict.fromkeys(name for name in found if (root / name).exists()))


def _all(folder: Path, name: str, root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in sorted(folder.glob(f"test_{name}*.py"))]


SAMPLES = "tests/test_samples.py"
LONG = ("tests/passes/test_padding_nets.py",)
"""Tests that are not narrow."""


def _mirrors(folder: Path, name: str, root: Path) -> list[str]:
    """tests/x/test_name.py, and those that begin with that name."""
    found = [folder / f"test_{name}.py", *sorted(folder.glob(f"test_{name}_*.py"))]
    return [str(path.relative_to(root)) for path in found]


def _frontend(end: str, name: str, root: Path) -> list[str]:
    """Front ends are tested in one folder, whose files are named after the framework."""
    folder = root / "tests/frontend"
    kind = "export" if end == "export" else "onnx"
    found = [*_mirrors(folder, f"{kind}_{name}", root)]
    return found + _all(folder, kind, root)
