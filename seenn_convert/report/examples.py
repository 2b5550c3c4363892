"""Easy and hard images with their captions."""

import base64
import binascii
from collections.abc import Sequence
from typing import NamedTuple

from seenn_convert.artifact.schema.evaluation import Example
from seenn_convert.report.numbers import percent

PIXELATED_BELOW = 65
"""Pixels of width below which a picture keeps its pixels when it is enlarged."""


class Picture(NamedTuple):
    """A picture and what stands below it; ``kind`` is ``right``, ``wrong`` or ``unknown``.

    Only an embedded picture is shown; ``image`` of any other is empty.
    """

    image: str
    pixelated: bool
    answer: str
    truth: str
    kind: str
    exit: str


def pictures(samples: Sequence[Example], class_names: Sequence[str] | None) -> tuple[Picture, ...]:
    """Return the pictures of some images; classes without a name are called by their number."""
    return tuple(_picture(sample, class_names or ()) for sample in samples)


def _picture(sample: Example, names: Sequence[str]) -> Picture:
    embedded = sample.image.startswith("data:image/")
    kind = "unknown" if sample.label is None else "right" if sample.label == sample.prediction else "wrong"
    return Picture(
        image=sample.image if embedded else "",
        pixelated=0 < _width(sample.image) < PIXELATED_BELOW,
        answer=_class(sample.prediction, names),
        truth="" if sample.label is None else _class(sample.label, names),
        kind=kind,
        exit=f"step {sample.exit_step} · {percent(sample.confidence, 0)}",
    )


def _class(index: int, names: Sequence[str]) -> str:
    return names[index] if 0 <= index < len(names) else f"class {index}"


def _width(url: str) -> int:
    """Return the width of an embedded PNG in pixels, 0 if it cannot be read."""
    _, found, data = url.partition("image/png;base64,")
    try:
        return int.from_bytes(base64.b64decode(data[:32])[16:20]) if found else 0
    except binascii.Error:
        return 0
