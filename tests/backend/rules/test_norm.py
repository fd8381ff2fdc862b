from tests.backend.lowered import calls, lowered


def test_several_normalised_dimensions_become_one():
    text = lowered("""
        %x: f32[2,3,5,7] = input(name="x")
        %w: f32[5,7] = input(name="w")
        %y: f32[2,3,5,7] = layer_norm(x=%x, w=%w, dims=2)
        return "y"=%y
    """)
    assert text == calls("""
        %y_0: bf16[2,3,35] tile dram = ttnn.reshape(%x, [2, 3, 35])
        %y_1: bf16[35] tile dram = ttnn.reshape(%w, [35])
        %y: bf16[2,3,35] tile dram = ttnn.layer_norm(%y_0, epsilon=1e-05, weight=%y_1)
        %y_2: bf16[2,3,5,7] tile dram = ttnn.reshape(%y, [2, 3, 5, 7])
    """)


SUM = """
    %x: f32[2,33] = input(name="x")
    %z: f32[2,33] = input(name="z")
    %s: f32[2,33] = add(a=%x, b=%z)
    %y: f32[2,33] = rms_norm(x=%s)
"""


def test_a_sum_that_only_the_norm_reads_is_its_own():
    assert lowered(SUM + '    return "y"=%y') == (
        "%y: bf16[2,33] tile dram = ttnn.rms_norm(%x, epsilon=1e-05, residual_input_tensor=%z)"
    )


def test_a_sum_that_others_read_is_computed_once():
    assert lowered(SUM + '    return "y"=%y, "s"=%s') == calls("""
        %s: bf16[2,33] tile dram = ttnn.add(%x, %z)
        %y: bf16[2,33] tile dram = ttnn.rms_norm(%s, epsilon=1e-05)
    """)
