"""The grammars of a `.pt2` file's expressions: what torch writes passes; every near miss of it is refused."""

from __future__ import annotations

import pytest

from ttc.errors import InputError
from ttc.frontend.archive.expressions import check_guard, check_size
from ttc.guard.budget import EXPRESSION_BITS, EXPRESSION_PARTS

SIZES = (
    "s27",
    "Symbol('s0', positive=True, integer=True)",
    "Add(Mul(Integer(2), Symbol('s77', integer=True)), Integer(-1))",
    "FloorDiv(Symbol('s0'), Integer(2))",
    "Float('0.5', precision=53)",
    "Float('1.5e-3')",
    "Float(0.25, precision=200)",
    "Pow(Symbol('s0'), Integer(2))",
    "Pow(s0, Integer(-1))",
    "s0**2",
    "s0**-1",
    "s0**0",
    "2**63",
    "Pow(s0, Integer(0))",
    "2*s0 - 1",
    "int_oo",
    "s0 >= 2 and s0 <= 64",
)
"""As torch and sympy write them."""

NO_SIZES = (
    "Symbol('x', integer=True)",
    "Symbol('s0', integer=1)",
    "Symbol('s0', commutative=True)",
    "Symbol('s0', 's1')",
    "Float('0.5', precision=0)",
    "Float('0.5', precision=201)",
    "Float('0.5', precision='5')",
    "Float('0.5', integer=5)",
    "Float('1e999')",
    "Float('one')",
    "Float('0.5', '0.5')",
    "Pow(s0, s1)",
    "Pow(s0, Integer(-2))",
    "s0**s1",
    "s0**-2",
    "s0**0.5",
    "2**64",
    "Pow(2, Integer(64))",
    "Pow(s0, Integer(2), evaluate=True)",
    "Add()",
    "Add(s0, positive=True)",
    "Max",
    "L['x'].size()[0]",
    "s0 if s1 else s2",
    "[s0]",
    "'s0'",
    "s0()",
    "s",
    "s1234567",
    "\u017f0",
    "",
    " " * 100_000,
)

GUARDS = (
    "L['x'].size()[0] >= 2",
    "L['kv'][1] == 3",
    "L['x'].stride()[1] == L['y'].numel() + 1",
    "not L['x'].dim() % 2",
    "True",
)

NO_GUARDS = (
    "L['x'].size(0)",
    "L['x'].size",
    "L['x'].numel(dim=1)",
    "'x'[0]",
    "L[L]",
    "L['x']()",
    "L['x'].append(1)",
    "size",
    "s0 == 1",
    "~L['x'][0] == 1",
    "L['x'].size()[0] >> 1",
)


@pytest.mark.parametrize("text", SIZES)
def test_arithmetic_of_sizes_passes(text: str):
    check_size(text)


@pytest.mark.parametrize("text", GUARDS)
def test_comparisons_of_what_inputs_measure_pass(text: str):
    check_guard(text)


@pytest.mark.parametrize("text", NO_SIZES)
def test_anything_else_is_no_size(text: str):
    with pytest.raises(InputError, match="is not an expression of sizes, but may be code"):
        check_size(text)


@pytest.mark.parametrize("text", NO_GUARDS)
def test_anything_else_is_no_guard(text: str):
    with pytest.raises(InputError, match="is not a condition on sizes, but may be code"):
        check_guard(text)


def test_numbers_beyond_the_bits_allowed_are_refused():
    with pytest.raises(InputError, match="gives too large a number"):
        check_size("((((((2**63)**63)**63)**63)**63)**63)**63")


def test_the_bits_of_operands_add_up():
    factor = 2**62  # 63 bits
    fits = EXPRESSION_BITS // 63
    check_size("*".join([str(factor)] * fits))
    with pytest.raises(InputError, match="gives too large a number"):
        check_size("*".join([str(factor)] * (fits + 1)))


def test_texts_of_just_the_length_allowed_are_read():
    longest = 40 * EXPRESSION_PARTS
    check_size("s0".ljust(longest))
    with pytest.raises(InputError, match="may be code"):
        check_size("s0".ljust(longest + 1))


def test_messages_show_no_more_than_the_beginning_of_a_text():
    with pytest.raises(InputError, match=r"'x{80}' is not"):
        check_size("x" * 80)
    with pytest.raises(InputError, match=r"'x{80}\.\.\.' is not"):
        check_size("x" * 81)
