"""The sizes in a ``.pt2`` file that depend on its input: PyTorch evaluates their text, so only arithmetic may pass."""

import ast
import re
from functools import lru_cache

from seenn_convert.errors import InputError

LONGEST_EXPRESSION, LARGEST_NUMBER, LARGEST_POWER = 4000, 2**63, 8

FUNCTIONS = frozenset((
    "Add", "Mul", "Max", "Min", "Mod", "PythonMod", "FloorDiv", "CleanDiv", "CeilDiv", "ModularIndexing", "Rational",
    "Integer", "CeilToInt", "FloorToInt", "TruncToInt", "IntTrueDiv", "FloatTrueDiv", "ToFloat", "Identity",
    "Equality", "Unequality", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "StrictLessThan", "StrictGreaterThan", "LessThan",
    "GreaterThan", "And", "Or", "Not", "Where",
))  # fmt: skip
"""What an expression may call beside powers and symbols: the arithmetic and the comparisons of PyTorch and sympy."""

_SYMBOL = re.compile(r"[a-zA-Z][a-zA-Z_]{0,30}\d{0,6}")
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.UAdd, ast.And, ast.Or,
              ast.Not, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Load)  # fmt: skip


@lru_cache(maxsize=4096)
def check_expression(text: str) -> None:
    """Raise InputError unless ``text`` is made of symbols, numbers, arithmetic and the functions listed above.

    Powers have a symbol as base and a small whole number as exponent, so no short text stands for a huge number.
    """
    try:
        if len(text) > LONGEST_EXPRESSION:
            raise ValueError
        _check(ast.parse(text, mode="eval").body)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise InputError(f"the size {text[:60]!r} is not plain arithmetic, and would be run as code") from error


def check_symbol(name: object) -> None:
    """Raise InputError unless ``name`` is a symbol as PyTorch names them, such as ``s77``."""
    if not isinstance(name, str) or not _SYMBOL.fullmatch(name):
        raise InputError(f"the symbol {name!r} is not a name")


def _check(node: ast.AST) -> None:
    match node:
        case ast.Constant(value=bool()) | ast.Name(id="true" | "false" | "int_oo" | "oo"):
            return
        case ast.Constant(value=int() | float() as number) if abs(number) < LARGEST_NUMBER:
            return
        case ast.Name(id=name) if _SYMBOL.fullmatch(name):
            return
        case ast.BinOp(op=ast.Pow(), left=base, right=exponent):
            _check_power(base, exponent)
        case ast.Call(func=ast.Name(id="Pow" | "PowByNatural"), args=[base, exponent], keywords=[]):
            _check_power(base, exponent)
        case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str(name))], keywords=options):
            if not _SYMBOL.fullmatch(name) or any(not _is_flag(option) for option in options):
                raise ValueError
        case ast.Call(func=ast.Name(id="Float"), args=[ast.Constant(value=str(digits)), *_]):
            if not re.fullmatch(r"-?[\d.]{1,30}(e-?\d{1,2})?", digits):
                raise ValueError
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            for argument in arguments:
                _check(argument)
        case ast.BinOp() | ast.UnaryOp() | ast.BoolOp() | ast.Compare():
            for part in ast.iter_child_nodes(node):
                _check(part)
        case _ if isinstance(node, _OPERATORS):
            return
        case _:
            raise ValueError


def _check_power(base: ast.AST, exponent: ast.AST) -> None:
    """Accept a power of a symbol, whose exponent is a small whole number, or -1."""
    match exponent:
        case ast.Call(func=ast.Name(id="Integer"), args=[inner], keywords=[]):
            return _check_power(base, inner)
        case ast.Constant(value=int(power)) if 0 <= power <= LARGEST_POWER:
            pass
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)):
            pass
        case _:
            raise ValueError
    if not isinstance(base, ast.Name) and not (
        isinstance(base, ast.Call) and isinstance(base.func, ast.Name) and base.func.id == "Symbol"
    ):
        raise ValueError
    _check(base)


def _is_flag(option: ast.keyword) -> bool:
    return option.arg is not None and isinstance(option.value, ast.Constant) and isinstance(option.value.value, bool)
