import subprocess
from pathlib import Path

import numpy as np
import torch

import ttc
from ttc.ir import DType, Spec
from ttc.runtime.check.interpreter import surroundings
from ttc.runtime.emulator.numerics import load, round_block_float, store

REAL = """
import os, sys
import numpy as np
sys.path.insert(0, sys.argv[3])
from ttc.runtime.mock import environment
os.environ.update(environment("n150"))
import ttnn
arrays = np.load(sys.argv[1])
results = {}
for name in arrays.files:
    for dtype in ("bfloat16", "bfloat8_b", "bfloat4_b"):
        tensor = ttnn.Tensor(arrays[name], data_type=getattr(ttnn, dtype), layout=ttnn.TILE_LAYOUT)
        results[f"{name}.{dtype}"] = ttnn.to_dtype(tensor, ttnn.float32).to_numpy()
np.savez(sys.argv[2], **results)
"""
FORMATS = {"bfloat16": DType.bf16, "bfloat8_b": DType.bfp8, "bfloat4_b": DType.bfp4}


def arrays() -> dict[str, np.ndarray]:
    """float32 numbers of every kind: any bit pattern, denormals, blocks with infinities, ties, odd widths."""
    generator = np.random.default_rng(0)
    normal = generator.standard_normal((32, 64)).astype(np.float32)
    bits = generator.integers(0, 2**32, (64, 64), dtype=np.uint64).astype(np.uint32)
    finite = np.where((bits >> 23) & 255 == 255, bits ^ np.uint32(1 << 30), bits)
    special = normal.copy()
    special[0, 0], special[1, 5], special[2, 7], special[3, 40] = np.inf, -np.inf, np.nan, -np.nan
    denormal = normal * np.float32(1e-39)
    mixed = denormal.copy()
    mixed[:, ::16] = 1.2e-38
    scales = np.exp2(generator.integers(-30, 30, (33, 100)))
    return {
        "normal": normal,
        "wide": (generator.standard_normal((33, 100)) * scales).astype(np.float32),
        "odd": generator.standard_normal((3, 5, 7)).astype(np.float32),
        "vector": generator.standard_normal(77).astype(np.float32),
        "bits": bits.view(np.float32),
        "finite": finite.view(np.float32),
        "special": special,
        "denormal": denormal,
        "mixed": mixed,
        "tiny": normal * np.float32(1e-37),
        "huge": (generator.uniform(-1, 1, (32, 32)) * 3.4e38).astype(np.float32),
        "zero": np.zeros((32, 32), np.float32),
        "negative_zero": -np.zeros((32, 32), np.float32),
        "ties": (np.arange(-512, 512).reshape(16, 64) / 8).astype(np.float32),
        "carries": np.array([[1.9999] * 32, [255.9] * 32, [127.75] * 32, [-127.99] * 32], np.float32),
    }


def test_formats_are_rounded_bit_for_bit_as_by_the_real_library(ttnn_python: str, tmp_path: Path):
    given, result = tmp_path / "given.npz", tmp_path / "result.npz"
    np.savez(given, **arrays())
    root = Path(ttc.__file__).parents[1]
    command = [ttnn_python, "-c", REAL, given, result, root]
    subprocess.run(command, check=True, timeout=120, cwd=tmp_path, env=surroundings(ttnn_python))
    wanted = np.load(result)
    assert len(wanted.files) == 3 * len(arrays())
    for name in wanted.files:
        array, dtype = name.split(".")
        x = torch.from_numpy(arrays()[array])
        found = load(store(x, Spec(FORMATS[dtype], tuple(x.shape)))).numpy()
        assert np.array_equal(np.isnan(found), np.isnan(wanted[name])), name
        different = (found.view(np.uint32) != wanted[name].view(np.uint32)) & ~np.isnan(found)
        assert not different.any(), f"{name}: {arrays()[array][different][:4]} gave {found[different][:4]}"


def test_a_block_shares_its_largest_exponent():
    x = torch.tensor([[100.0] + [0.3] * 15 + [0.3] * 16])
    rounded = round_block_float(x, 7)
    assert rounded[0, 0] == 100.0
    assert rounded[0, 1] == 0.0
    assert rounded[0, 16] == torch.tensor(0.30078125)


def test_rounding_again_changes_nothing():
    x = torch.from_numpy(arrays()["wide"])
    for bits in (7, 3):
        once = round_block_float(x, bits)
        assert torch.equal(round_block_float(once, bits), once)


def test_integers_are_cut_not_rounded():
    assert store(torch.tensor([1.9, -1.9]), Spec(DType.i32, (2,))).tolist() == [1, -1]
