"""The text form: prints a graph and reads it back exactly.

    graph {
      %x: f32[1,32] = input(name="x")
      %w: f32[64,32] = const(ref="fc.weight")
      %fc: f32[1,64] = linear(x=%x, w=%w)
      return "output"=%fc
    }

Fields with their default value are left out. A call's operands are positional: `ttnn.relu(%x)`. The body of a loop
stands in its line as `body {`, indented, with names of its own. A comment behind a node is its location in the model.
"""

from ttc.ir.text.parser import parse_graph
from ttc.ir.text.printer import print_graph, print_node

__all__ = ["parse_graph", "print_graph", "print_node"]
