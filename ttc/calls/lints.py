"""Safety lints: what the real library takes, and a card gets wrong.

A lint is a function from a call and its card to the fault in the call, "" if there is none; each names the issue of
tt-metal that reports the fault. Compiling makes no program with a fault, and `ttc check` tells those of any program.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

from ttc.calls.attention import FillImplicitTilePadding, ScaledDotProductAttention
from ttc.calls.call import Call, kind_of
from ttc.calls.conv import Conv2d
from ttc.calls.conv_transpose import ConvTranspose2d
from ttc.calls.convolution import Convolution
from ttc.calls.fidelity import MOST
from ttc.calls.host import HostOp
from ttc.calls.layout import ToMemoryConfig
from ttc.calls.loop import StepCall
from ttc.calls.narrow import Narrow
from ttc.calls.slicing import SliceType
from ttc.calls.target import ARCHITECTURES, Target
from ttc.ir import TILE, DType, Graph, Node, Type, Value
from ttc.ir.loop import bodies
from ttc.ir.text import print_node

Lint = Callable[[Call, Target], str]

NUMBERS = ("input_tensor_a", "input_tensor_b", "true_value", "false_value", "min", "max", "value", "fill_value")
"""TTNN's names of the arguments that stand for tensors full of a number, or that elements are compared with."""


def stated_slices(call: Call, target: Target) -> str:
    """Find a convolution that leaves its slices to TTNN, which cuts lines of any width along the height (42667)."""
    if isinstance(call, Convolution) and call.slices is None:
        return f"{call.mnemonic} does not state its slices"
    return ""


def slices_of_whole_tiles(call: Call, target: Target) -> str:
    """Find slices along the height of lines that are no whole tiles: their result is noise (42667)."""
    if not isinstance(call, (Conv2d, ConvTranspose2d)) or call.slices is None or call.lines_are_tiles:
        return ""
    if call.slices.slice_type is not SliceType.DRAMSliceHeight:
        return ""
    return (
        f"{call.mnemonic} is cut along the height, from lines of {call.input_width} to lines of "
        f"{call.window.output[1]} pixels, which are no whole tiles of 32"
    )


def right_fidelity(call: Call, target: Target) -> str:
    """Find sums in fp32 with more passes than the card's matrix engine gets right (38306, 48824)."""
    compute, most = call.compute, MOST[target.arch]
    if compute is None or not compute.fp32_dest_acc_en or compute.math_fidelity.value <= most.value:
        return ""
    return f"{call.mnemonic} sums in fp32 at {compute.math_fidelity.name}, and {target.arch} is right to {most.name}"


def operands_of_their_own(call: Call, target: Target) -> str:
    """Find a buffer that a call reads twice: a later call of the program may be bound to the wrong one (55605)."""
    twice = read_twice(call)
    return f"{call.mnemonic} reads the buffer of %{twice[0].name} twice" if twice else ""


def read_twice(call: Call) -> list[Value]:
    """List the operands that lie in the buffer of one before them, views included.

    A result may go into an operand's own buffer: the kernels are written for that. The host does host ops. Columns
    that are viewed lie on cores of their own, and TTNN knows them as a tensor of its own with a spec of its own.
    """
    if isinstance(call, HostOp):
        return []
    met: set[Value] = set()
    again: list[Value] = []
    for operand in _read(call):
        buffer = _bound(operand)
        again += [operand] if buffer in met else []
        met.add(buffer)
    return again


def _bound(value: Value) -> Value:
    """Return the value for which TTNN has a buffer on the cores that `value` lies on."""
    while isinstance(value.op, Call) and not isinstance(value.op, Narrow):
        viewed = value.op.alias_of(value.index)
        if viewed is None:
            break
        value = viewed
    return value


def _read(call: Call) -> list[Value]:
    """List the operands that a call reads; one may be there to take the result as well."""
    operands = list(call.operands())
    if (into := getattr(call, "output_tensor", None)) is not None:
        operands.remove(into)
    return operands


def integers_that_the_card_holds(call: Call, target: Target) -> str:
    """Find a number beside integers that the vector unit does not hold: Wormhole's has sign and magnitude (44750)."""
    if not any(operand.dtype is DType.i32 for operand in call.operands()):
        return ""
    lowest, largest = ARCHITECTURES[target.arch].integers
    for name in NUMBERS:
        number = getattr(call, name, None)
        if isinstance(number, (int, float)) and not lowest <= number <= largest:
            return f"{call.mnemonic} takes {number}, and {target.arch} computes with integers of {lowest} to {largest}"
    return ""


def filled_masks(call: Call, target: Target) -> str:
    """Find attention whose mask does not exclude the keys that pad the last tile; TTNN does without a mask (54833)."""
    mask = call.attn_mask if isinstance(call, ScaledDotProductAttention) else None
    if mask is None or mask.shape[-1] % TILE == 0:
        return ""
    maker = mask.op
    while isinstance(maker, Call) and (isinstance(maker, ToMemoryConfig) or maker.alias()):
        if isinstance(maker, FillImplicitTilePadding):
            return "" if maker.fill_value < 0 else f"{call.mnemonic} has a mask that lets padded keys through"
        maker = maker.operands()[0].op
    return f"{call.mnemonic} has a mask of {mask.shape[-1]} keys whose tile padding is not filled"


LINTS: tuple[Lint, ...] = (
    stated_slices,
    slices_of_whole_tiles,
    right_fidelity,
    operands_of_their_own,
    integers_that_the_card_holds,
    filled_masks,
)


def lint(graph: Graph, target: Target) -> Iterator[str]:
    """Yield the faults in a program's calls, those of loops included, each with its line of program text."""
    written: dict[Hashable, tuple[Type, ...]] = {}
    calls = [(node, node.op) for node in _nodes(graph) if isinstance(node.op, Call)]
    for _, call in calls:
        if getattr(call, "output_tensor", None) is not None and len(_read(call)) < 2:
            written.setdefault(_program(call), call.result_types())
    for node, call in calls:
        faults = [rule(call, target) for rule in LINTS]
        faults += [_other_spec(call, written)] if written else []
        for fault in filter(None, faults):
            line = print_node(node).partition("\n")[0]
            yield f"{fault} (in: {line})"


def _nodes(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes:
        for body in bodies(node.op):
            yield from _nodes(body)
        yield node


def _other_spec(call: Call, written: dict[Hashable, tuple[Type, ...]]) -> str:
    """Find a call that TTNN takes for another one, whose result goes into a tensor of another spec (51218).

    TTNN keeps the device programs of unary calls by a key that leaves out where a result is written; a binary call
    with a number is one of these.
    """
    others = written.get(_program(call))
    if others is None or others == call.result_types():
        return ""
    return f"{call.mnemonic} gives {call.result_types()[0]}, and the same call elsewhere writes {others[0]}"


def _program(call: Call) -> Hashable:
    """Return the key by which TTNN finds the device program of a call."""
    return kind_of(call.at(0) if isinstance(call, StepCall) else call, without="output_tensor")
