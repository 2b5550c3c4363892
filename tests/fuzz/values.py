"""Odd values and mutated bytes, which several parts use."""

import math
import random
from collections.abc import Iterator
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 255, 2**31, -(2**31), 2**63, -(2**63), 10**30, 0.5, 2.5, -0.0, 1e-300, 5e-324,
    1e60, 1e308, math.inf, -math.inf, math.nan, "", "0.5", "1", "a", "\x00", "é", "\ud800", "__class__", "../x", "a" * 5000,
    [], [0], [None], [[]], {}, {"a": 1}, {"": None},
)  # fmt: skip
"""Values of JSON, and numbers that JSON lacks."""


def mutated_bytes(content: bytes, random_: random.Random) -> bytes:
    """Return ``content`` cut off, or with bytes changed, doubled, put in or taken out at some places."""
    changed = bytearray(content)
    if random_.random() < 0.15:
        return bytes(changed[: random_.randrange(len(changed) + 1)])
    for _ in range(random_.choice((1, 1, 2, 8))):
        at, length = random_.randrange(max(len(changed), 1)), random_.choice((1, 1, 2, 4, 64))
        kind = random_.randrange(4)
        if kind == 0:
            changed[at : at + length] = random_.randbytes(len(changed[at : at + length]))
        elif kind == 1:
            del changed[at : at + length]
        elif kind == 2:
            changed[at:at] = random_.randbytes(length)
        elif changed:
            changed[at] ^= 1 << random_.randrange(8)
    return bytes(changed)


def places(document: Any) -> list[tuple[Any, ...]]:
    """Return the path to every value in mappings and lists."""
    return list(_places(document, ()))


def _places(document: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    items: Any = ()
    if isinstance(document, dict):
        items = document.items()
    elif isinstance(document, list):
        items = enumerate(document)
    for key, value in items:
        yield (*path, key)
        yield from _places(value, (*path, key))
