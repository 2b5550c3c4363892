"""What a call of an ATen operator hands over, checked against the operator's signature before it is ever run.

Kernels trust what they are given: an argument of another type, or a number type written as a number, can end the
process. So nothing that does not fit is called.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

INPUT, CONSTANT = re.compile(r"@\d+"), re.compile(r"#\d+")
"""How a call names its activations and its constants."""

LARGEST_INTEGER, LONGEST_TEXT = 2**31, 500
_CHOICES: Mapping[str, Sequence[object]] = {
    "interpolation_mode": (0, 1, 2), "padding_mode": (0, 1, 2), "dropout_p": (0,), "sorted": (True,),
    "rounding_mode": ("trunc", "floor"), "approximate": ("none", "tanh"),
}  # fmt: skip
"""Arguments with few values: those of the kernels, and none that draws random numbers."""


def check_call(
    operator: str,
    schema: Any,
    arguments: Sequence[object],
    keywords: Sequence[tuple[str, object]],
    constants: int,
) -> None:
    """Raise ValueError unless a call fits the signature of its operator.

    Args:
        operator: Name, for the message.
        schema: As PyTorch describes it.
        arguments: In order; ``"@0"`` is an activation and ``"#0"`` a constant.
        keywords: Name and value.
        constants: How many there are.
    """
    positional = [argument for argument in schema.arguments if not argument.kwarg_only]
    if len(arguments) > len(positional):
        raise ValueError(f"{operator} takes {len(positional)} arguments, not {len(arguments)}")
    given = {argument.name: value for argument, value in zip(positional, arguments, strict=False)}
    if len(dict(keywords)) < len(keywords) or set(given) & {name for name, _ in keywords}:
        raise ValueError(f"{operator} is given an argument twice")
    given.update(keywords)
    for argument in schema.arguments:
        if argument.name not in given:
            if not argument.has_default_value():
                raise ValueError(f"{operator} lacks its argument {argument.name!r}")
        elif not _fits(given.pop(argument.name), str(argument.real_type), argument.name, constants):
            raise ValueError(f"{operator} takes another kind of {argument.name!r}")
    if given:
        raise ValueError(f"{operator} has no argument {next(iter(given))!r}")


def _fits(value: object, kind: str, name: str, constants: int) -> bool:
    optional = re.fullmatch(r"Optional\[(.*)\]", kind)
    if optional is not None:
        return value is None or _fits(value, optional[1], name, constants)
    listed = re.fullmatch(r"List\[(.*)\]", kind)
    if listed is not None:
        items = value if isinstance(value, (list, tuple)) else (value,)
        return all(_fits(item, listed[1], name, constants) for item in items)
    if name in _CHOICES and value not in _CHOICES[name]:
        return False
    match kind:
        case "Tensor":
            return _is_tensor(value, constants) or _is_number(value)
        case "number" | "float":
            return _is_number(value)
        case "int" | "SymInt":
            return type(value) is int and abs(value) <= LARGEST_INTEGER
        case "bool":
            return isinstance(value, bool)
        case "str":
            return isinstance(value, str) and len(value) <= LONGEST_TEXT
        case _:
            return False  # types of numbers, devices, layouts in memory: those of the input


def _is_tensor(value: object, constants: int) -> bool:
    if not isinstance(value, str):
        return False
    return bool(INPUT.fullmatch(value)) or (bool(CONSTANT.fullmatch(value)) and int(value[1:]) < constants)


def _is_number(value: object) -> bool:
    return isinstance(value, (bool, float)) or (isinstance(value, int) and math.log2(abs(value) + 1) <= 53)
