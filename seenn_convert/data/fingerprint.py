"""Know images again: by a hash of a whole data set, or by some letters of a hash of each image."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from seenn_convert.data.samples import Samples

LETTERS = 8
"""Letters that are kept of the hash of an image, each 6 bits: of different images one pair in 10^14 has the same."""

MOST_KEPT = 4096
"""Hashes that are kept of a data set at most, the first in their order: a random sample of the images."""


@dataclass(frozen=True)
class Fingerprint:
    """What images are known again by, as they were read, before preprocessing.

    Attributes:
        whole: SHA-256 of the images in their order, and of the labels.
        images: Hashes of single images without repetitions, in ascending order and one behind the other.
    """

    whole: str
    images: str


def fingerprint_of(data: Samples) -> Fingerprint:
    """Return what the images are known again by; each is read once."""
    whole, hashes = hashlib.sha256(), set[str]()
    for index in range(len(data)):
        written = _bytes_of(data.original(index))
        whole.update(written)
        hashes.add(_letters(written))
    if data.labels is not None:
        whole.update(b"labels")
        whole.update(data.labels.numpy().data)
    return Fingerprint(whole.hexdigest(), "".join(sorted(hashes)[:MOST_KEPT]))


def shares_in_common(one: str, other: str) -> tuple[float, float]:
    """Return which share of the images of each set the other one holds too, by their hashes; 0 if one is not known.

    Where hashes of a set were left out, the shares are estimated from those that come before them in their order.
    """
    sets = [[hashes[i : i + LETTERS] for i in range(0, len(hashes), LETTERS)] for hashes in (one, other)]
    ends = [kept[-1] for kept in sets if len(kept) == MOST_KEPT]
    ours, theirs = ({hash for hash in kept if not ends or hash <= min(ends)} for kept in sets)
    both = len(ours & theirs)
    return both / max(len(ours), 1), both / max(len(theirs), 1)


def joined(one: str, other: str) -> str:
    """Return the hashes that are kept of the images of two sets together."""
    both = {hashes[i : i + LETTERS] for hashes in (one, other) for i in range(0, len(hashes), LETTERS)}
    return "".join(sorted(both)[:MOST_KEPT])


def not_among(hashes: str, data: Samples, places: Sequence[int]) -> list[int]:
    """Return those of the ``places`` in ``data`` whose images are none of those with these ``hashes``."""
    known = {hashes[i : i + LETTERS] for i in range(0, len(hashes), LETTERS)}
    return [place for place in places if _letters(_bytes_of(data.original(place))) not in known]


def _bytes_of(image: Tensor) -> bytes:
    return f"{image.dtype} {tuple(image.shape)}".encode() + image.contiguous().numpy().tobytes()


def _letters(written: bytes) -> str:
    return base64.b64encode(hashlib.sha256(written).digest()).decode()[:LETTERS]
