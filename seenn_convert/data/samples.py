"""What the workflows ask of images, whether they come from files or from memory."""

from collections.abc import Iterator, Sequence
from typing import Protocol, Self, runtime_checkable

from torch import Tensor

from seenn_convert.data.draw import Draw
from seenn_convert.data.preprocessing import Preprocessing


def draw_of(data: "Samples") -> Draw | None:
    """Return how the images were drawn from more; None if they are all there are, or that is not known."""
    found = getattr(data, "drawn", None)
    return found if isinstance(found, Draw) else None


@runtime_checkable
class Samples(Protocol):
    """Images in a fixed order, each the same whenever it is read; ``as_samples`` makes them from what a user has."""

    @property
    def name(self) -> str:
        """Path or kind of the data, for messages."""

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of every image after preprocessing."""

    @property
    def labels(self) -> Tensor | None:
        """Class indices ``(N,)`` int64, or None."""

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes, by label; None where they are not known."""

    @property
    def preprocessing(self) -> Preprocessing:
        """What makes pixels the model's input."""

    def __len__(self) -> int:
        """Return the number of images."""

    def batches(self, batch_size: int, indices: Sequence[int] | None = None) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Return pairs of images ``(b, *image_shape)`` and labels ``(b,)``, of all or of those at ``indices``."""

    def original(self, index: int) -> Tensor:
        """Return one image as it was read, before any preprocessing."""

    def subset(self, indices: Sequence[int]) -> Self:
        """Return the images at these positions, in this order."""

    def take(self, count: int, seed: int = 0) -> Self:
        """Draw ``count`` images at random, or all if there are fewer, each class by its share; the order is kept."""

    def with_classes(self, names: Sequence[str]) -> Self:
        """Return the same images with labels that are positions in ``names``."""
