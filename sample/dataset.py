"""Fashion-MNIST from its IDX files: reading, normalising, augmenting and class-balanced choice."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from network import CLASSES, IMAGE_SIZE, MEAN, STD
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]
MAX_SHIFT = 2
FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}


@dataclass(frozen=True)
class Split:
    """One split: `images` uint8 (N, 28, 28) and `labels` int64 (N,)."""

    images: Pixels
    labels: Labels


def read_idx(path: Path) -> Pixels:
    """Read a gzipped IDX file of unsigned bytes; the array has the shape that the header gives."""
    content = gzip.decompress(path.read_bytes())
    kind, dimensions = content[2], content[3]
    if content[:2] != b"\0\0" or kind != 0x08:
        raise ValueError(f"{path.name}: not an IDX file of unsigned bytes")
    start = 4 + 4 * dimensions
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], dtype=">u4"))
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy()


def load_split(folder: Path, name: str) -> Split:
    """Load the split `name` ("train" or "test") from the folder with the four IDX files."""
    images_file, labels_file = FILES[name]
    images = read_idx(folder / images_file)
    labels = read_idx(folder / labels_file).astype(np.int64)
    if images.shape != (len(labels), IMAGE_SIZE, IMAGE_SIZE):
        raise ValueError(f"{name}: images {images.shape} do not go with {len(labels)} labels")
    return Split(images, labels)


def hold_out(split: Split, count: int) -> tuple[Split, Split]:
    """Part a split into the images to train on and its last `count`, which training never sees."""
    return Split(split.images[:-count], split.labels[:-count]), Split(split.images[-count:], split.labels[-count:])


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Turn uint8 pixels (N, 28, 28) into the network's float input (N, 1, 28, 28)."""
    return ((images.float() / 255.0 - MEAN) / STD).unsqueeze(1)


def augment(padded: torch.Tensor, chosen: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Cut a random 28 x 28 window out of each chosen padded image and mirror half of them.

    `padded` is uint8 (N, 28 + 2 * MAX_SHIFT, 28 + 2 * MAX_SHIFT), `chosen` int64 (B,); the
    result is uint8 (B, 28, 28).
    """
    count = len(chosen)
    top = torch.randint(0, 2 * MAX_SHIFT + 1, (count, 1), generator=generator)
    left = torch.randint(0, 2 * MAX_SHIFT + 1, (count, 1), generator=generator)
    mirrored = torch.rand(count, 1, generator=generator) < 0.5
    steps = torch.arange(IMAGE_SIZE)
    rows = top + steps
    columns = left + torch.where(mirrored, steps.flip(0), steps)
    return padded[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]


def training_batches(
    split: Split, batch_size: int, generator: torch.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield one epoch of shuffled, augmented batches: images (B, 1, 28, 28) and labels (B,).

    The last, smaller batch is left out.
    """
    padding = (MAX_SHIFT, MAX_SHIFT, MAX_SHIFT, MAX_SHIFT)
    padded = torch.nn.functional.pad(torch.from_numpy(split.images), padding)
    labels = torch.from_numpy(split.labels)
    order = torch.randperm(len(labels), generator=generator)
    for start in range(0, len(order) - batch_size + 1, batch_size):
        chosen = order[start : start + batch_size]
        yield normalise(augment(padded, chosen, generator)), labels[chosen]


def balanced_subset(split: Split, per_class: int, seed: int) -> Split:
    """Choose `per_class` images of every class without replacement, in a shuffled order."""
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(split.labels == label) for label in range(CLASSES)]
    chosen = np.concatenate([generator.choice(group, per_class, replace=False) for group in members])
    generator.shuffle(chosen)
    return Split(split.images[chosen], split.labels[chosen])
