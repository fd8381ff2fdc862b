"""Which tests are asked about a source file: those that mirror it, and the samples of its family."""

from __future__ import annotations

from pathlib import Path

BUCKETS = ("tests/test_buckets.py",)
SESSION = ("tests/runtime/run/test_session.py", "tests/runtime/file/test_artifact.py")
SIMPLIFY = (
    "tests/passes/simplify/test_simplify.py",
    "tests/passes/simplify/test_empty.py",
    "tests/passes/simplify/test_index.py",
)
CHANNELS_LAST = ("tests/passes/channels_last/test_channels_last.py",)
CONV = ("tests/backend/rules/test_conv.py",)
RECURRENT = ("tests/backend/rules/test_recurrent.py",)

ALSO = {
    "ttc/analysis/residency.py": ("tests/backend/plan/test_place.py",),
    "ttc/analysis/script_text.py": ("tests/analysis/test_script.py",),
    "ttc/analysis/timeline.py": ("tests/commands/test_profile.py",),
    "ttc/backend/heads.py": ("tests/backend/rules/test_heads.py",),
    "ttc/backend/host.py": ("tests/test_host.py",),
    "ttc/backend/in_place.py": ("tests/compiled/test_cache.py",),
    "ttc/backend/lower.py": ("tests/backend/test_precision.py", "tests/test_host.py", "tests/test_refusals.py"),
    "ttc/backend/lowering.py": (
        "tests/backend/test_precision.py",
        "tests/backend/rules/test_matmul.py",
        "tests/test_host.py",
    ),
    "ttc/backend/one_token.py": ("tests/backend/rules/test_one_token.py",),
    "ttc/backend/plan/bodies.py": ("tests/backend/plan/test_place.py",),
    "ttc/backend/plan/link_inputs.py": ("tests/compiled/test_chain.py",),
    "ttc/backend/rules/attention_mask.py": ("tests/backend/rules/test_attention.py",),
    "ttc/backend/rules/cache.py": ("tests/compiled/test_cache.py",),
    "ttc/backend/rules/conv_layer.py": CONV,
    "ttc/backend/rules/conv_plan.py": CONV,
    "ttc/backend/rules/conv_transpose.py": CONV,
    "ttc/backend/rules/conv_turned.py": ("tests/backend/rules/test_conv_halves.py",),
    "ttc/backend/rules/loop.py": RECURRENT,
    "ttc/backend/rules/matmul.py": ("tests/backend/rules/test_linear_parts.py", "tests/backend/rules/test_numbers.py"),
    "ttc/backend/rules/moves.py": ("tests/backend/rules/test_shape.py", "tests/backend/rules/test_heads.py"),
    "ttc/backend/rules/resample.py": ("tests/backend/rules/test_pool.py",),
    "ttc/backend/rules/rotary.py": ("tests/backend/rules/test_one_token.py",),
    "ttc/backend/rules/sequence.py": RECURRENT,
    "ttc/backend/rules/spatial.py": (*CONV, "tests/backend/rules/test_pool.py"),
    "ttc/calls/scan.py": ("tests/calls/test_reduce.py",),
    "ttc/backend/rules/take.py": ("tests/backend/rules/test_shape.py",),
    "ttc/backend/weight_dtypes.py": ("tests/dtype_policy/test_search.py",),
    "ttc/backend/wide_integers.py": ("tests/backend/test_integers.py",),
    "ttc/calls/banks.py": ("tests/analysis/test_memory.py", "tests/backend/plan/test_addresses.py"),
    "ttc/calls/call.py": (
        "tests/calls/test_refusals.py",
        "tests/calls/test_matmul.py",
        "tests/backend/plan/test_upload_as_used.py",
    ),
    "ttc/calls/conv_transpose.py": (*CONV, "tests/calls/test_conv.py", "tests/calls/test_spelling.py"),
    "ttc/calls/host.py": ("tests/test_host.py",),
    "ttc/calls/logic.py": ("tests/calls/test_binary.py",),
    "ttc/calls/loop.py": RECURRENT,
    "ttc/calls/pad.py": ("tests/calls/test_shape.py", "tests/calls/test_dispatch.py"),
    "ttc/calls/reduced.py": ("tests/calls/test_reduce.py", "tests/backend/plan/test_addresses.py"),
    "ttc/calls/sizes.py": ("tests/calls/test_window.py", "tests/calls/test_conv.py"),
    "ttc/calls/spelling.py": ("tests/analysis/test_script.py",),
    "ttc/calls/target.py": ("tests/calls/test_matmul.py", "tests/analysis/test_cost.py"),
    "ttc/frontend/determinant.py": ("tests/frontend/test_determinant.py",),
    "ttc/frontend/einsum.py": ("tests/frontend/test_export_layer.py", "tests/frontend/test_onnx_operators.py"),
    "ttc/frontend/export/activation.py": ("tests/frontend/test_export_elementwise.py",),
    "ttc/frontend/export/attention.py": ("tests/plugins/test_torch_compile_modules.py",),
    "ttc/frontend/export/reduce.py": ("tests/frontend/test_export_layer.py",),
    "ttc/ops/activation.py": ("tests/passes/decompose/test_recurrent.py", "tests/backend/rules/test_recurrent_onnx.py"),
    "ttc/ops/constant.py": SIMPLIFY,
    "ttc/ops/folding.py": SIMPLIFY,
    "ttc/ops/interpret.py": SIMPLIFY,
    "ttc/ops/rules.py": ("tests/ops/test_type_rules.py",),
    "ttc/ops/torch_types.py": SIMPLIFY,
    "ttc/passes/__init__.py": ("tests/passes/test_pipeline.py",),
    "ttc/passes/channels_last/forms.py": CHANNELS_LAST,
    "ttc/passes/channels_last/rows.py": CHANNELS_LAST,
    "ttc/passes/decompose/skew.py": ("tests/passes/fuse/test_fuse_skew.py",),
    "ttc/passes/fold.py": SIMPLIFY,
    "ttc/passes/fuse/fuse_epilogue.py": ("tests/passes/fuse/test_fuse_linear.py",),
    "ttc/passes/fuse/match.py": (
        "tests/passes/fuse/test_fuse_activation.py",
        "tests/passes/fuse/test_fuse_attention.py",
    ),
    "ttc/passes/fuse/merged.py": ("tests/passes/fuse/test_merge_linear.py", "tests/passes/fuse/test_merge_rows.py"),
    "ttc/passes/normal.py": SIMPLIFY,
    "ttc/passes/share.py": SIMPLIFY,
    "ttc/passes/simplify/shape.py": SIMPLIFY,
    "ttc/passes/simplify/value.py": SIMPLIFY,
    "ttc/runtime/check/__init__.py": ("tests/runtime/check/test_check.py",),
    "ttc/runtime/check/checker.py": ("tests/runtime/check/test_check.py",),
    "ttc/runtime/check/slices.py": ("tests/runtime/check/test_check.py",),
    "ttc/runtime/check/worker.py": ("tests/runtime/check/test_check.py",),
    "ttc/runtime/emulator/activations.py": ("tests/runtime/emulator/test_matmul.py",),
    "ttc/runtime/file/bucket_file.py": BUCKETS,
    "ttc/runtime/file/manifest.py": ("tests/runtime/file/test_artifact.py",),
    "ttc/runtime/file/safetensors_file.py": ("tests/runtime/file/test_artifact.py",),
    "ttc/runtime/run/bound_call.py": SESSION,
    "ttc/runtime/run/buckets.py": BUCKETS,
    "ttc/runtime/run/convert.py": ("tests/test_forms.py",),
    "ttc/runtime/run/device.py": SESSION,
    "ttc/runtime/run/device_null.py": SESSION,
    "ttc/runtime/run/device_timed.py": ("tests/commands/test_profile.py",),
    "ttc/runtime/run/host.py": ("tests/test_host.py",),
    "ttc/runtime/run/loaded.py": SESSION,
    "ttc/runtime/run/program.py": SESSION,
    "ttc/runtime/run/queues.py": ("tests/runtime/run/test_traced.py",),
    "ttc/runtime/run/steps.py": (*SESSION, *RECURRENT),
}
"""Files whose tests bear another name."""

FOLDERS = {
    "ttc/analysis/cost/": (
        "tests/analysis/test_cost.py",
        "tests/analysis/test_cost_families.py",
        "tests/analysis/test_call_work.py",
    ),
    "ttc/backend/plan/sharding/": ("tests/backend/plan/test_places.py", "tests/backend/plan/test_shard.py"),
}
"""Folders whose files are tested together."""

FAMILIES = ("ttc/ops/", "ttc/backend/", "ttc/calls/", "ttc/runtime/emulator/")
"""Folders that hold files by family of ops: the samples of a family are tests of each of them."""


KINDS = {
    "batches": ("conv",),
    "conv_plan": ("conv",),
    "conv_transpose": ("conv",),
    "device": ("unary",),
    "heads": ("attention",),
    "layout": ("shape",),
    "logic": ("binary",),
    "loop": ("recurrent",),
    "matmul": ("matmul", "recurrent"),
    "moves": ("shape",),
    "numerics": ("unary",),
    "pad": ("shape",),
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
    found += (test for folder, tests in FOLDERS.items() if path.startswith(folder) for test in tests)
    if inner.parts[0] == "frontend":
        found += _frontend(inner.parts[-1], name, root)
    if inner.parts[0] == "calls":
        found += [
            "tests/calls/test_refusals.py",
            "tests/calls/test_workspace.py",
            *_mirrors(root / "tests/backend", name, root),
            *_mirrors(root / "tests/runtime/emulator", name, root),
        ]
    if inner == Path("ops"):
        found += ["tests/ops/test_type_rules.py", "tests/ops/test_facts.py"]
    if "padding" in inner.parts:
        found += _mirrors(root / "tests/passes", name, root)
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
    """Front ends are tested in one folder, whose files are named after the framework; archives in a folder below."""
    folder = root / "tests/frontend"
    if end == "archive":
        return [*_all(folder / end, name, root), *_all(folder / end, "", root)]
    kinds = (end,) if end in ("export", "onnx") else ("onnx", "export")  # what both share is tested by both
    mirrors = [test for kind in kinds for test in _mirrors(folder, f"{kind}_{name}", root)]
    return mirrors + [test for kind in kinds for test in _all(folder, kind, root)]
