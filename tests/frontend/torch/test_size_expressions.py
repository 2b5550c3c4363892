"""Sizes are arithmetic and nothing else; no short text stands for a long computation."""

import pytest

from seenn_convert.errors import InputError
from seenn_convert.frontend.torch.size_expressions import LONGEST_EXPRESSION, check_expression, check_symbol

ARITHMETIC = [
    "s77", "Symbol('s77', positive=True, integer=True)", "s0*s1 + 2", "-s0", "4*s77//2 - 1", "s0**2", "7",
    "Add(Mul(Integer(2), Symbol('s0', integer=True)), Integer(-1))", "Max(1, s0)", "Min(u0, 128)", "s0 % 4",
    "FloorDiv(Add(Symbol('s3', positive=True, integer=True), Integer(-1)), Integer(2))", "Mod(s0, 8)", "Eq(s0, 1)",
    "Pow(Symbol('s0', integer=True), Integer(2))", "PowByNatural(s0, 3)", "Rational(1, 2)", "zuf0 >= 0.5",
    "Float('0.5', precision=53)", "s0 > 1 and not s1", "true", "int_oo",
]  # fmt: skip


@pytest.mark.parametrize("text", ARITHMETIC)
def test_arithmetic_passes(text: str) -> None:
    check_expression(text)


CODE = [
    "__import__('os')", "().__class__", "s0.__class__", "[s0]", "(lambda: 1)()", "open('x')", "Symbol('a b')", "s0; s1",
    "Symbol('s0', integer=print())", "exec('1')", "'text'", "Symbol(s0)", "Lambda(s0, s0)", "sympify('1')", "f'{s0}'",
    "s0 if s1 else s2", "Max(*s0)", "Max(s0)(s1)", "s0[0]", "", "s0 +", "\0", "(s0 := 1)", "Symbol('__x')", "Float('a')",
    "9**9**9", "2**9", "s0**9", "(2*s0)**3", "Pow(9, 9)", "Pow(Symbol('s0'), Pow(s0, 2))", "1 << 99", "9" * 20, "9.0e99",
    "factorial(9999)", "(" * 300 + "s0" + ")" * 300 + "(", "+".join(["s0"] * (LONGEST_EXPRESSION // 2)), "s1234567",
]  # fmt: skip


@pytest.mark.parametrize("text", CODE, ids=lambda text: text[:20])
def test_all_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not plain arithmetic, and would be run as code"):
        check_expression(text)


def test_symbols_are_short_names() -> None:
    check_symbol("s77")
    for name in ("u999999999", "a.b", "", 3, "s 0"):
        with pytest.raises(InputError, match="is not a name"):
            check_symbol(name)
