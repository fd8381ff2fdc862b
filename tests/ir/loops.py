"""A recurrence as a program: the text that tests of loops change."""

import textwrap

LOOP = textwrap.dedent(
    """\
    graph {
      %x: bf16[4,1,2,64] tile dram = input(name="x")
      %zero: bf16[1,1,2,64] tile dram = const(ref="zero")
      %r: bf16[1,1,64,64] tile dram = const(ref="r")
      %h0: bf16[1,1,2,64] tile dram = ttnn.clone(%zero, memory_config=MemoryConfig())
      %y0: bf16[4,1,2,64] tile dram = ttnn.empty([4, 1, 2, 64], bf16, TILE)
      %h_n: bf16[1,1,2,64] tile dram, %y: bf16[4,1,2,64] tile dram = loop(count=4, carried=[%h0], scanned=[%x], stacked=[%y0], captured=[%r], body=body {
        %h: bf16[1,1,2,64] tile dram = input(name="h")
        %x: bf16[4,1,2,64] tile dram = input(name="x")
        %ys: bf16[4,1,2,64] tile dram = input(name="ys")
        %r: bf16[1,1,64,64] tile dram = input(name="r")
        %p: bf16[1,1,2,64] tile dram = ttnn.matmul(%h, %r)
        %t: bf16[1,1,2,64] tile dram = loop.take(%x, step=Step(scale=-1, offset=3))
        %new: bf16[1,1,2,64] tile dram = ttnn.add(%p, %t, output_tensor=%h, activations=[UnaryWithParam(op_type="TANH")])
        %put: bf16[4,1,2,64] tile dram = loop.put(%ys, %new)
        return "h"=%new, "y"=%put
      })
      return "y"=%y, "h_n"=%h_n
    }
    """  # noqa: E501
)
