"""Images of any source as the workflows see them: preprocessed batches with labels."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path

import torch
from torch import Tensor

from seenn_convert.data.draw import Draw, drawn
from seenn_convert.data.fingerprint import fingerprint_of
from seenn_convert.data.preprocessing import ImageLayout, Preprocessing
from seenn_convert.data.sources import ImageSource
from seenn_convert.errors import InputError

LISTED = 10
"""Names of classes that a message lists."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images of one source, or some of them, with the preprocessing that makes them a model's input: ``Samples``.

    Images that come preprocessed (floating-point numbers of an npz file or from memory) are used as they are:
    ``preprocessing`` is not applied to them, and ``preprocessed`` is True so that a caller can say so.

    Args:
        source: Where the images come from.
        preprocessing: Applied to every batch, unless ``preprocessed``.
        indices: Which images of ``source``, in this order.
        image_shape: Of every image after preprocessing; ``(C, H, W)``, or as its layout says, unless the images come
            preprocessed or are no images.
        class_order: Names of classes in the order in which labels number them; None for the order of the source.
        drawn: How ``take`` drew them from more; None for all images, and for those chosen in another way.
    """

    source: ImageSource
    preprocessing: Preprocessing
    indices: Sequence[int]
    image_shape: tuple[int, ...]
    class_order: tuple[str, ...] | None = None
    drawn: Draw | None = None

    @classmethod
    def of(cls, source: ImageSource, preprocessing: Preprocessing) -> "Dataset":
        """Return all images of ``source``; the first is read, to know the shape.

        Raises:
            InputError: The first image cannot be read, or the preprocessing does not fit it.
        """
        first = _preprocess(source, preprocessing, 0, source.read(0).unsqueeze(0))
        return cls(source, preprocessing, range(len(source)), tuple(first.shape[1:]))

    @property
    def name(self) -> str:
        """Path of the source, for messages."""
        return self.source.name

    @property
    def labels(self) -> Tensor | None:
        """Class indices ``(N,)`` int64, or None."""
        labels = self._source_labels()
        return None if labels is None else labels[torch.tensor(self.indices)]

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes, by label; None if the source has none."""
        return self.class_order or self.source.class_names

    @property
    def paths(self) -> tuple[str, ...] | None:
        """File name of each image relative to ``name``; None if the images are not files of their own."""
        paths = self.source.paths
        return None if paths is None else tuple(paths[index] for index in self.indices)

    @property
    def preprocessed(self) -> bool:
        """Whether the images come preprocessed, so that ``preprocessing`` is not applied."""
        return self.original(0).is_floating_point()

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.indices)

    def __getitem__(self, index: int) -> Tensor | tuple[Tensor, Tensor]:
        """Return one image, preprocessed, with its label if there is one: what a ``DataLoader`` or a loop reads."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"there is no image {index} among {len(self)}")
        images, labels = next(self.batches(1, [index % len(self)]))
        return images[0] if labels is None else (images[0], labels[0])

    def __repr__(self) -> str:
        """Return what the images are, in a line or two."""
        names, labels = self.class_names, self.labels
        classes = "no labels" if labels is None else f"labels up to {int(labels.max())}"
        named = "" if names is None else f", {len(names)} named classes"
        return f"Dataset({self.name}: {len(self)} images of {self.image_shape}, {classes}{named}, {self.preprocessing})"

    def batches(self, batch_size: int, indices: Sequence[int] | None = None) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Return an iterator over batches, the last of which may be smaller; a batch is read when its turn comes.

        Args:
            batch_size: Images per batch, at least 1.
            indices: Positions in this data set, in the order wanted; None for all.

        Returns:
            Pairs of images ``(b, *image_shape)`` float32, preprocessed, and labels ``(b,)`` int64 or None.

        Raises:
            InputError: At once if ``batch_size`` or an index is out of range; while iterating if an image cannot be
                read or has another shape than the first.
        """
        if not isinstance(batch_size, Integral) or batch_size < 1:
            raise InputError(f"batch size must be a whole number of at least 1, got {batch_size!r}")
        return self._read_batches(batch_size, self.indices if indices is None else self._select(indices))

    def original(self, index: int) -> Tensor:
        """Return one image as it was read, before any preprocessing."""
        return self.source.read(self.indices[index])

    def subset(self, indices: Sequence[int]) -> "Dataset":
        """Return the images at these positions, in this order.

        Raises:
            InputError: If there is no index, or one is out of range.
        """
        selected = self._select(indices)
        if not selected:
            raise InputError(f"{self.name}: a subset needs at least one image")
        return replace(self, indices=selected, drawn=None)

    def with_classes(self, names: Sequence[str]) -> "Dataset":
        """Return the same images with labels that are positions in ``names``; classes are matched by their names.

        Where the source has no names, labels are positions already: they stay as they are, and ``names`` are theirs.

        Raises:
            InputError: The source has classes that are not in ``names``; lists them.
        """
        own = self.source.class_names or ()
        unknown = [name for name in own if name not in names]
        if unknown and {name.casefold() for name in unknown} <= {name.casefold() for name in names}:
            raise InputError(
                f"{self.name}: the classes {_listed(unknown)} and the model's classes {_listed(names)} differ only in "
                "upper and lower case; write both alike"
            )
        if unknown:
            missing = [name for name in names if name not in own]
            are = "is" if len(missing) == 1 else "are"
            absent = f", of which {_listed(missing)} {are} not here" if missing else ""
            remedy = "give other labels" if self.paths is None else "rename or remove these folders"
            raise InputError(
                f"{self.name}: the model does not know the classes {_listed(unknown)}; it knows {_listed(names)}"
                f"{absent}: {remedy}, or state the names of its outputs in order (--class-names)"
            )
        return replace(self, class_order=tuple(names))

    def laid_out(self, layout: ImageLayout) -> "Dataset":
        """Return the same images as a model takes them whose input has this layout; preprocessed ones stay as they are.

        Raises:
            InputError: Images in colour are to lie without channels.
        """
        if layout == self.preprocessing.layout:
            return self
        other = replace(self.preprocessing, layout=layout)
        return replace(self, preprocessing=other, image_shape=Dataset.of(self.source, other).image_shape)

    def limit(self, count: int) -> "Dataset":
        """Return the first ``count`` images, or all if there are fewer; deprecated, ``subset`` says it as well."""
        warnings.warn("limit(n) is now subset(range(n))", DeprecationWarning, stacklevel=2)
        return self.subset(range(min(count, len(self))))

    def take(self, count: int, seed: int = 0) -> "Dataset":
        """Draw ``count`` images at random, or all if there are fewer, each class by its share; the order is kept.

        Systematic sampling of the images shuffled within their classes: each image is drawn with the same probability,
        none twice, and a class with a share of s images gets either the whole number below s or the one above.
        """
        if not isinstance(count, Integral) or count < 1:
            raise InputError(f"the number of images must be a whole number of at least 1, got {count!r}")
        if count >= len(self):
            return self
        labels = self.source.labels  # whatever numbers a model gives to the classes
        labels = None if labels is None else labels[torch.tensor(self.indices)]
        some = self.subset(drawn(len(self), labels, count, seed))
        return replace(some, drawn=Draw(images=len(self), seed=seed))

    def fingerprint(self) -> str:
        """Return the SHA-256 of the images as read, before preprocessing, and of the labels, in hexadecimal."""
        return fingerprint_of(self).whole

    def _source_labels(self) -> Tensor | None:
        """Return the labels of all images of the source, numbered as this data set numbers classes."""
        labels, names = self.source.labels, self.source.class_names
        if labels is None or names is None or self.class_order is None:
            return labels
        return torch.tensor([self.class_order.index(name) for name in names])[labels]

    def _select(self, indices: Sequence[int]) -> list[int]:
        """Return the positions in the source of positions in this data set."""
        for index in indices:
            if not 0 <= index < len(self):
                raise InputError(f"{self.name}: there is no image {index}; give positions from 0 to {len(self) - 1}")
        return [self.indices[index] for index in indices]

    def _read_batches(self, batch_size: int, indices: Sequence[int]) -> Iterator[tuple[Tensor, Tensor | None]]:
        labels = self._source_labels()
        for start in range(0, len(indices), batch_size):
            chosen = list(indices[start : start + batch_size])
            yield self._read_batch(chosen), None if labels is None else labels[chosen]

    def _read_batch(self, indices: list[int]) -> Tensor:
        """Return ``(b, *image_shape)``; images of one size are preprocessed together, of several sizes one by one."""
        images = [self.source.read(index) for index in indices]
        together = len({image.shape for image in images}) == 1
        groups = [torch.stack(images)] if together else [image.unsqueeze(0) for image in images]
        outputs = []
        for index, group in zip(indices, groups, strict=False):  # one group for all stands for the first index
            output = _preprocess(self.source, self.preprocessing, index, group)
            if output.shape[1:] != self.image_shape:
                raise InputError(_difference(self.source, index, group.shape[1:], self.source.read(0).shape))
            outputs.append(output)
        return outputs[0] if together else torch.cat(outputs)


def _preprocess(source: ImageSource, preprocessing: Preprocessing, index: int, images: Tensor) -> Tensor:
    """Return the model's input from pixels ``(b, C, H, W)`` as read; ``index`` is of the first, for messages."""
    if images.is_floating_point():
        return images
    try:
        return preprocessing.apply(images.to(torch.float32, memory_format=torch.contiguous_format).div_(255))
    except InputError as error:
        raise InputError(f"{_place(source, index)}: {error}") from error


def _listed(names: Sequence[str]) -> str:
    """Return names with commas between them, the first of very many."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _place(source: ImageSource, index: int) -> str:
    return f"{source.name}, image {index}" if source.paths is None else str(Path(source.name) / source.paths[index])


def _difference(source: ImageSource, index: int, shape: Sequence[int], first_shape: Sequence[int]) -> str:
    """Return the sentence on two images of different shapes, as they were read, that cannot go together."""
    this, first = _place(source, index), _place(source, 0)
    if len(shape) != 3 or len(first_shape) != 3:
        return f"{this} has shape {tuple(shape)} and {first} {tuple(first_shape)}; make them alike"
    if shape[0] != first_shape[0]:
        return f"{this} has {shape[0]} channels and {first} has {first_shape[0]}; say how many channels the model takes"
    return (
        f"{this} is {shape[1]} x {shape[2]} pixels and {first} is {first_shape[1]} x {first_shape[2]}; "
        "make them alike, or convert with --resize N --crop N"
    )
