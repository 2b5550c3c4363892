"""What the page says of an example image."""

import base64
import binascii
from collections.abc import Sequence

PIXELATED_BELOW = 65
"""Pixels of width below which a picture keeps its pixels when it is enlarged."""


def class_name(index: int, names: Sequence[str] | None) -> str:
    """Return the name of a class, or its number if it has none."""
    return names[index] if names is not None and 0 <= index < len(names) else f"class {index}"


def is_small(url: str) -> bool:
    """Return whether an embedded PNG is so narrow that enlarging it should keep its pixels."""
    _, found, data = url.partition("image/png;base64,")
    try:
        return bool(found) and 0 < int.from_bytes(base64.b64decode(data[:32])[16:20]) < PIXELATED_BELOW
    except binascii.Error:
        return False
