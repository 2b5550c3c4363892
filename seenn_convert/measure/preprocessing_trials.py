"""Whether another normalisation of the pixels, one that is common, makes the ANN right far more often."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from seenn_convert.analysis.memory import images_together
from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.data.dataset import Dataset
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.samples import Samples
from seenn_convert.data.sources import ImageSource
from seenn_convert.errors import InputError
from seenn_convert.ir.program import Program
from seenn_convert.measure.ann import run_ann
from seenn_convert.measure.chance import most_frequent, near_chance
from seenn_convert.measure.intervals import is_clearly_better

Values = tuple[float, ...]

COMMON: tuple[tuple[str, Values | None, Values | None], ...] = (
    ("to [0, 1] and no more", None, None),
    ("with ImageNet's mean and std", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ("to [-1, 1]", (0.5,), (0.5,)),
    ("to 0..255", None, (1 / 255,)),
    ("to 0..255 less ImageNet's mean", (0.485, 0.456, 0.406), (1 / 255,)),
    ("with CIFAR-10's mean and std", (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
    ("with MNIST's mean and std", (0.1307,), (0.3081,)),
    ("with Fashion-MNIST's mean and std", (0.286,), (0.353,)),
)
"""What pixels are normalised to, with which mean and std: what most published networks were trained with."""

ENOUGH_RIGHT = 0.9
"""Share right from which no other normalisation is looked for."""

ENOUGH_IF_CHOSEN = 0.7
"""The same where a mean or std was given."""

LEAST_GAIN = 10.0
"""Points of accuracy from which another normalisation is worth a warning."""

TRIED_IMAGES = 128

CHANNELS = (1, 3)


def preprocessing_caution(
    ann: Program, data: Samples, answers: Tensor, among: Sequence[int]
) -> tuple[float, Caution] | None:
    """Return the share right with the best common normalisation of the labelled images of ``data``, and a warning.

    None if none is far better than the normalisation given, and better than one answer for all images would be.
    Some images at the positions ``among`` are tried, if the ANN is wrong on many of them. Floating-point images are
    taken as they are; they are tried if they may be pixels. ``answers`` ``(N,)`` are the ANN's for all of ``data``.
    """
    if not isinstance(data, Dataset) or data.labels is None:
        return None
    chosen_images = among[:: -(-len(among) // TRIED_IMAGES)]
    few = data.subset(chosen_images)
    right = (answers == data.labels)[list(chosen_images)]
    pixels = _as_pixels(few) if few.preprocessed else few
    chosen = not few.preprocessed and (data.preprocessing.mean, data.preprocessing.std) != (None, None)
    if right.double().mean() >= (ENOUGH_IF_CHOSEN if chosen else ENOUGH_RIGHT) or pixels is None:
        return None
    tried = list(_trials(ann, pixels))
    best = max(tried, key=lambda one: int(one[0].sum()), default=None)
    if best is None or not is_clearly_better(best[0], right, LEAST_GAIN):
        return None
    share, name, other = float(best[0].double().mean()), *best[1:]
    if near_chance(share, most_frequent(data.labels)):
        return None
    remedy = f"convert with {_options(other)}"
    if few.preprocessed:
        remedy = f"floating-point images are taken as they are, so normalise them, or give uint8 pixels and {remedy}"
    return share, Caution(
        "preprocessing",
        f"the ANN is right on {right.double().mean():.1%} of {len(few)} of these images, and on "
        f"{share:.1%} if they are normalised {name}: {remedy}",
    )


def _trials(ann: Program, pixels: Dataset) -> Iterator[tuple[Tensor, str, Preprocessing]]:
    """Return an iterator over which images the ANN is right on with each normalisation, its name, and itself."""
    for name, other in _normalisations(pixels):
        try:
            yield _right(ann, replace(pixels, preprocessing=other)), name, other
        except InputError:  # so far from what it knows that it overflows
            continue


def _as_pixels(data: Dataset) -> Dataset | None:
    """Return floating-point images that may be pixels, in [0, 1] or [0, 255], as pixels; None if they may not."""
    images = torch.stack([data.original(index) for index in range(len(data))])
    layout = data.preprocessing.layout
    images = images.movedim(-1, 1) if layout == "channels_last" else images
    if images.dim() != 4 or images.shape[1] not in CHANNELS or not 0 <= images.min() <= images.max() <= 255:
        return None
    whole = (images * (255 if images.max() <= 1 else 1)).round().to(torch.uint8)
    return Dataset.of(ImageSource(data.name, whole, data.labels), Preprocessing(layout=layout))


def _right(ann: Program, data: Dataset) -> Tensor:
    assert data.labels is not None
    with torch.no_grad():
        return run_ann(ann, data, images_together(ann, len(data))).argmax(dim=-1) == data.labels


def _normalisations(data: Dataset) -> Iterator[tuple[str, Preprocessing]]:
    """Return an iterator over the normalisations that fit the channels of the images, with their names."""
    for name, mean, std in COMMON:
        other = replace(data.preprocessing, mean=mean, std=std)
        try:
            next(replace(data, preprocessing=other).batches(1))
        except InputError:  # it is for another number of channels
            continue
        yield name, other


def _options(preprocessing: Preprocessing) -> str:
    """Return the options of the command line that give this normalisation."""
    given = (("--mean", preprocessing.mean), ("--std", preprocessing.std))
    texts = [f"{name} {','.join(f'{value:g}' for value in values)}" for name, values in given if values is not None]
    return " ".join(texts) or "neither --mean nor --std"
