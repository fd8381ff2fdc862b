"""Predicted times of calls: the published products, and what each kind of call counts."""

import pytest

from ttc.analysis.cost import DISPATCH, cost
from ttc.analysis.cost.call_work import works
from ttc.analysis.cost.division import divide
from ttc.calls.target import TARGETS
from ttc.ir import Node
from ttc.runtime.run.program import parse_program

N150, P150 = TARGETS["n150"], TARGETS["p150"]


def call(body: str) -> Node:
    """The last call of a program."""
    return parse_program(f"graph {{ {body} return }}").nodes[-1]


def product(size: int, fidelity: str = "HiFi2", memory: str = "dram") -> Node:
    square = f"bf16[{size},{size}] tile {memory}"
    return call(f"""
      %a: {square} = input(name="a")
      %b: {square} = input(name="b")
      %y: {square} = ttnn.matmul(%a, %b, compute_kernel_config=ComputeKernelConfig(math_fidelity={fidelity}))
    """)


PUBLISHED = {512: 20.0e-6, 1024: 69.0e-6, 2048: 299e-6, 4096: 2009e-6}
"""Seconds on N150 for bf16 HiFi2 products of this size, operands in DRAM, traced."""


@pytest.mark.parametrize(("size", "seconds"), PUBLISHED.items())
def test_published_products_within_ten_percent(size: int, seconds: float):
    assert cost(product(size), N150).seconds == pytest.approx(seconds, rel=0.10)


def test_fidelity_costs_and_l1_costs_no_dram():
    found = [cost(product(4096, fidelity), N150).parts["matrix engine"] for fidelity in ("LoFi", "HiFi3", "HiFi4")]
    assert found == sorted(found)
    assert found[2] == pytest.approx(4 / 3 * found[1], rel=0.05)
    assert cost(product(512, memory="l1"), N150).dram_bytes == 0
    assert cost(product(512, memory="l1"), N150).l1_bytes == 3 * 512 * 512 * 2
    assert "DRAM" not in cost(product(512, memory="l1"), N150).parts
    assert cost(product(512), N150).dram_bytes == 3 * 512 * 512 * 2
    assert cost(product(512), N150).l1_bytes == 0
    assert cost(product(512), N150).flops == 2 * 512**3
    assert cost(product(4096), P150).seconds < cost(product(4096), N150).seconds


@pytest.mark.parametrize(
    ("body", "programs", "products", "dram_bytes"),
    [
        (
            """%x: bf16[33,64] tile dram = input(name="x")
               %w: bf16[64,65] tile dram = input(name="w")
               %y: bf16[33,65] tile dram = ttnn.linear(%x, %w, activation="gelu")""",
            2,
            2 * 2 * 3,
            2048 * (2 * 2 + 2 * 3 + 2 * 3),
        ),
        (
            """%x: bf16[2,32,64] tile dram = input(name="x")
               %w: bf16[2,96,32] tile dram = input(name="w")
               %y: bf16[2,64,96] tile l1 = ttnn.matmul(%x, %w, transpose_a=true, transpose_b=true)""",
            1,
            2 * 2 * 1 * 3,
            2048 * (2 * 2 + 2 * 3),
        ),
        (
            """%x: bf16[64,64] tile dram = input(name="x")
               %y: bf16[2,32,64] tile dram = ttnn.reshape(%x, [2, 32, 64])""",
            0,
            0,
            0,
        ),
        (
            """%x: bf16[320,64] tile dram = input(name="x")
               %y: bf16[64,64] tile dram = ttnn.slice(%x, [32, 0], [96, 64], [1, 1])""",
            1,
            0,
            2 * 4 * 2048,
        ),
        (
            """%i: u32[1,32] row_major dram = input(name="i")
               %w: bf16[5000,64] row_major dram = const(ref="w")
               %y: bf16[1,32,64] tile dram = ttnn.embedding(%i, %w, layout=TILE)""",
            1,
            0,
            32 * 4 + 2 * 32 * 64 * 2,
        ),
        (
            """%x: bf16[64,64] tile dram = input(name="x")
               %y: bf16[64,64] tile dram = ttnn.add(%x, %x)""",
            1,
            0,
            2 * 4 * 2048,
        ),
        (
            """%q: bf16[1,2,64,32] tile dram = input(name="q")
               %k: bf16[1,2,96,32] tile dram = input(name="k")
               %y: bf16[1,2,64,32] tile dram =
                 ttnn.transformer.scaled_dot_product_attention(%q, %k, %k, is_causal=false)""",
            1,
            2 * 2 * 2 * 3,
            2048 * 2 * (2 + 3 + 2),
        ),
    ],
)
def test_what_a_call_counts(body: str, programs: int, products: int, dram_bytes: int):
    found = cost(call(body), N150)
    assert (found.programs, found.tile_products, found.dram_bytes) == (programs, products, dram_bytes)
    assert (found.seconds > 0) == (found.bound != "") == (found.cores > 0) == (programs > 0)


def test_few_tiles_use_few_cores():
    one = call("""
      %x: bf16[32,4096] tile l1 = input(name="x")
      %w: bf16[4096,32] tile l1 = input(name="w")
      %y: bf16[32,32] tile l1 = ttnn.matmul(%x, %w)
    """)
    many = call("""
      %x: bf16[32,4096] tile l1 = input(name="x")
      %w: bf16[4096,2048] tile l1 = input(name="w")
      %y: bf16[32,2048] tile l1 = ttnn.matmul(%x, %w)
    """)
    assert (cost(one, N150).cores, cost(many, N150).cores) == (1, 64)
    assert cost(one, N150).seconds < cost(many, N150).seconds < 3 * cost(one, N150).seconds


@pytest.mark.parametrize(
    ("node", "bound"),
    [
        (product(512), "DRAM"),
        (product(4096), "matrix engine"),
        (product(32, memory="l1"), DISPATCH),
        (
            call("""%x: bf16[64,64] tile dram = input(name="x")
                    %y: bf16[2,32,64] tile dram = ttnn.reshape(%x, [2, 32, 64])"""),
            "",
        ),
    ],
)
def test_the_largest_part_of_the_time_bounds_it(node: Node, bound: str):
    found = cost(node, N150)
    assert found.bound == bound
    assert found.seconds == pytest.approx(sum(found.parts.values()))
    assert found.parts.get(bound, 0) == max(found.parts.values(), default=0)


def test_a_call_that_runs_more_often_is_bound_by_the_same():
    once, often = cost(product(4096), N150), cost(product(4096), N150).repeated(3)
    assert (often.times, often.programs, often.dram_bytes) == (3, 3, 3 * once.dram_bytes)
    assert (often.cores, often.l1_bytes) == (once.cores, 3 * once.l1_bytes)
    assert often.seconds == pytest.approx(3 * once.seconds)
    assert often.bound == once.bound


def test_each_program_of_a_call_adds_its_start():
    """A linear with an activation of its own runs two programs, and the second takes time of its own."""
    body = """
      %x: bf16[64,64] tile dram = input(name="x")
      %w: bf16[64,64] tile dram = input(name="w")
      %y: bf16[64,64] tile dram = ttnn.linear(%x, %w{})
    """
    one, two = (cost(call(body.format(end)), N150) for end in ("", ', activation="gelu"'))
    assert (one.programs, two.programs) == (1, 2)
    assert two.parts[DISPATCH] >= one.parts[DISPATCH] + 2.05e-6


def test_a_program_config_divides_the_product():
    body = """
      %x: bf16[2048,64] tile l1 height_sharded 8x8 of 32x64 = input(name="x")
      %w: bf16[64,96] tile dram = const(ref="w")
      %y: bf16[2048,96] tile l1 height_sharded 8x8 of 32x96 = ttnn.linear(
        %x, %w, memory_config=MemoryConfig(buffer=L1, sharding=HEIGHT_SHARDED, shard=ShardSpec(grid=[8, 8],
        shape=[32, 96])), program_config=MatmulMultiCoreReuseMultiCast1DProgramConfig(
        compute_with_storage_grid_size=[8, 8], in0_block_w=2, out_subblock_h=1, out_subblock_w=3, per_core_M=1,
        per_core_N=3, fuse_batch=true, fused_activation=none, mcast_in0=false))
    """
    node = call(body)
    ((work, card),) = works(node, N150)
    found = divide(work, card)
    assert (found.rows, found.columns, found.readers_a, found.readers_b, found.depth) == (1, 3, 64, 1, 2)
    assert cost(node, N150).cores == 64
    assert cost(node, N150).dram_bytes == 64 * 96 * 2
    halves = call(body.replace("out_subblock_h=1", "out_block_h=1, out_subblock_h=1").replace("M=1", "M=2"))
    assert cost(halves, N150).dram_bytes == 2 * 64 * 96 * 2  # the weights once for each block of rows


@pytest.mark.parametrize(
    ("target", "fidelity", "share", "cores"), [("n150", "HiFi2", (240, 288), 12), ("p150", "LoFi", (500, 512), 8)]
)
def test_weights_over_banks_are_read_at_the_published_rate(
    target: str, fidelity: str, share: tuple[int, int], cores: int
):
    """A core beside each bank works, and most of the time goes to reading the bank."""
    card = TARGETS[target]
    columns = -(-448 // card.dram_banks)
    node = call(f"""
      %x: bf16[1,4096] tile l1 width_sharded 8x1 of 32x512 = input(name="x")
      %w: bfp8[4096,14336] tile dram width_sharded {card.dram_banks}x1 of 4096x{32 * columns} = const(ref="w")
      %y: bf16[1,14336] tile l1 width_sharded 8x1 of 32x1792 = ttnn.linear(
        %x, %w, memory_config=MemoryConfig(buffer=L1, sharding=WIDTH_SHARDED, shard=ShardSpec(grid=[8, 1],
        shape=[32, 1792])), program_config=MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig(in0_block_w=2,
        per_core_M=1, per_core_N=56, fused_activation=none), compute_kernel_config=ComputeKernelConfig(
        math_fidelity={fidelity}))
    """)
    found = cost(node, card)
    rate = card.dram_bytes_per_second * share[0] / share[1]
    assert (found.cores, found.bound) == (cores, "DRAM")
    assert found.dram_bytes == 128 * 448 * 1088
    reading = 128 * columns * card.dram_banks * 1088 / rate
    assert reading <= found.parts["DRAM"] <= 1.06 * reading  # p150's eight cores compute nearly as long


def test_interleaved_norms_give_a_core_whole_rows():
    norm = """
      %x: bf16[197,768] tile dram = input(name="x")
      %y: bf16[197,768] tile dram = ttnn.rms_norm(%x)
    """
    assert cost(call(norm), N150).cores == 7
    assert cost(call(norm.replace("ttnn.rms_norm(%x)", "ttnn.softmax(%x, 1)").replace("197", "4096")), N150).cores == 64
    shards = "tile l1 block_sharded 8x7 of 32x96"
    config = "LayerNormShardedMultiCoreProgramConfig(compute_with_storage_grid_size=[8, 7], subblock_w=3, block_h=1, "
    held = norm.replace("tile dram", shards).replace("(%x)", f"(%x, program_config={config}block_w=3, inplace=false))")
    assert cost(call(held), N150).cores == 56
    assert cost(call(held), N150).seconds < cost(call(norm), N150).seconds / 2


def test_attention_of_one_query_reads_all_keys_and_values_from_dram():
    """8 heads of 8,192 keys and values are 33.6 MB: no faster than the banks give them."""
    q, k = "bf16[1,1,32,128] tile dram", "bf16[1,8,8192,128] tile dram"
    body = f"""
      %q: {q} = input(name="q")
      %k: {k} = input(name="k")
      %v: {k} = input(name="v")
      %y: {q} = ttnn.transformer.scaled_dot_product_attention_decode(%q, %k, %v, is_causal=false,
        program_config=SDPAProgramConfig(compute_with_storage_grid_size=[8, 8], q_chunk_size=32, k_chunk_size=256))
    """
    for card in (N150, P150):
        found = cost(call(body), card)
        assert found.seconds > 2 * 8 * 8192 * 128 * 2 / card.dram_bytes_per_second
        assert found.bound == "DRAM"


def test_joint_attention_is_attention_over_both_sequences():
    q, j = "bf16[1,2,64,32] tile dram", "bf16[1,2,32,32] tile dram"
    node = call(f"""
      %q: {q} = input(name="q")
      %j: {j} = input(name="j")
      %y: {q}, %z: {j} = ttnn.transformer.joint_scaled_dot_product_attention(%q, %q, %q, %j, %j, %j,
        joint_strategy="rear", program_config=SDPAProgramConfig(compute_with_storage_grid_size=[8, 8],
        q_chunk_size=32, k_chunk_size=32))
    """)
    ((work, _),) = works(node, N150)
    assert (work.family, [x.shape for x in work.inputs]) == ("attention", [(1, 2, 96, 32)] * 3)
    assert cost(node, N150).tile_products == 2 * 2 * 3 * 3


def test_an_entry_of_a_stack_costs_the_same_in_a_long_one():
    def written(count: int):
        return cost(
            call(f"""
              %y: bf16[{count},1,32,256] tile dram = input(name="y")
              %h: bf16[1,1,32,256] tile dram = input(name="h")
              %z: bf16[{count},1,32,256] tile dram = ttnn.fill_cache(%y, %h, 0)
            """),
            N150,
        )

    assert written(4).seconds == written(512).seconds
    assert written(4).dram_bytes == written(512).dram_bytes == 2 * 32 * 256 * 2


SWAPS = {
    "(256, 128), [1, 0]": "HW",
    "(12, 120, 60), [0, 2, 1]": "HW",
    "(16, 12, 120, 60), [0, 1, 3, 2]": "HW",
    "(16, 12, 120, 60), [0, 2, 1, 3]": "CH",
    "(12, 120, 60), [1, 0, 2]": "CH",
    "(3, 16, 128, 64), [1, 0, 2, 3]": "NC",
    "(16, 12, 120, 60), [0, 3, 2, 1]": "",
    "(16, 12, 120, 60), [0, 2, 3, 1]": "",
    "(3, 16, 12, 128, 64), [0, 1, 2, 4, 3]": "",
}
"""Dimensions that the library's program for transposes swaps, as a mock card's traces name the program."""


@pytest.mark.parametrize("case", SWAPS)
def test_swaps_of_neighbours_are_priced_as_transposes(case: str):
    shape, dims = case.split("), ")
    sizes, swaps = [int(size) for size in shape[1:].split(",")], SWAPS[case]
    result = [sizes[int(dim)] for dim in dims[1:-1].split(",")]
    for layout in ("tile", "row_major"):
        node = call(f"""
          %x: bf16{sizes} {layout} dram = input(name="x")
          %y: bf16{result} {layout} dram = ttnn.permute(%x, {dims})
        """)
        work = works(node, N150)[0][0]
        expected = ("transpose", f"Transpose {swaps}") if swaps and layout == "tile" else ("permute", "PERMUTE")
        assert (work.family, work.op) == expected


def test_rows_that_change_places_within_tiles_cost_more():
    found = [
        cost(
            call(f"""
              %x: bf16[16,32,64,64] tile dram = input(name="x")
              %y: bf16{shape} tile dram = ttnn.permute(%x, {dims})
            """),
            N150,
        ).seconds
        for shape, dims in (("[16,32,64,64]", "[0, 1, 3, 2]"), ("[16,64,32,64]", "[0, 2, 1, 3]"))
    ]
    assert 2 * found[0] < found[1]
