"""Which tests are asked about a source file: those that mirror it, and the samples of its family."""

from __future__ import annotations

from pathlib import Path

ALSO = {
    "ttc/backend/bodies.py": ("tests/backend/test_placement.py",),
    "ttc/backend/conv_plan.py": ("tests/backend/test_conv.py",),
    "ttc/backend/conv_transpose.py": ("tests/backend/test_conv.py",),
    "ttc/backend/edges.py": ("tests/backend/test_edges.py",),
    "ttc/backend/host.py": ("tests/test_host.py",),
    "ttc/backend/loop.py": ("tests/backend/test_recurrent.py",),
    "ttc/backend/moves.py": ("tests/backend/test_shape.py", "tests/backend/test_heads.py"),
    "ttc/backend/residency.py": ("tests/backend/test_placement.py",),
    "ttc/backend/resample.py": ("tests/backend/test_pool.py",),
    "ttc/backend/sequence.py": ("tests/backend/test_recurrent.py",),
    "ttc/backend/spatial.py": ("tests/backend/test_conv.py", "tests/backend/test_pool.py"),
    "ttc/calls/sizes.py": ("tests/calls/test_window.py", "tests/calls/test_conv.py"),
    "ttc/calls/target.py": ("tests/calls/test_matmul.py", "tests/backend/test_cost.py"),
    "ttc/passes/decompose_skew.py": ("tests/passes/test_fuse_skew.py",),
    "ttc/passes/forms.py": ("tests/passes/test_channels_last.py",),
    "ttc/passes/fuse_epilogue.py": ("tests/passes/test_fuse_linear.py",),
    "ttc/passes/rows.py": ("tests/passes/test_channels_last.py",),
    "ttc/passes/match.py": ("tests/passes/test_fuse_activation.py", "tests/passes/test_fuse_attention.py"),
}
"""Files whose tests bear another name."""

PADDING = ("tests/passes/test_padding.py", "tests/passes/test_padding_masks.py", "tests/passes/test_padding_index.py")

FAMILIES = ("ttc/ops/", "ttc/backend/", "ttc/calls/", "ttc/runtime/emulator/")
"""Folders that hold files by family of ops: the samples of a family are tests of each of them."""


def narrow_tests(path: str, root: Path) -> list[str]:
    """The test files for a source file, the narrowest first; `SAMPLES` of its family last."""
    inner, name = Path(path).relative_to("ttc").parent, Path(path).stem
    found = [*ALSO.get(path, ()), *_mirrors(root / "tests" / inner, name, root)]
    if inner.parts[0] == "frontend":
        found += _frontend(inner.parts[-1], name, root)
    if inner.parts[0] == "passes" and inner.parts[-1] != "padding" and name.startswith("simplify"):
        found.append("tests/passes/test_simplify.py")
    if "padding" in inner.parts:
        found += PADDING
    if path.startswith(FAMILIES) or "padding" in inner.parts:
        found.append(SAMPLES)
    return list(dict.fromkeys(name for name in found if (root / name).exists()))


SAMPLES = "tests/test_samples.py"


def _mirrors(folder: Path, name: str, root: Path) -> list[str]:
    """tests/x/test_name.py, and those that begin with that name."""
    found = [folder / f"test_{name}.py", *sorted(folder.glob(f"test_{name}_*.py"))]
    return [str(path.relative_to(root)) for path in found]


def _frontend(end: str, name: str, root: Path) -> list[str]:
    """Front ends are tested in one folder, whose files are named after the framework."""
    folder = root / "tests/frontend"
    kind = "export" if end == "export" else "onnx"
    found = [*_mirrors(folder, f"{kind}_{name}", root)]
    found += [str(path.relative_to(root)) for path in sorted(folder.glob(f"test_{kind}_*.py"))]
    return found
