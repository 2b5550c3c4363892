"""Make ``Samples`` of what a user has: a path, tensors, arrays, a torch or Hugging Face data set, a loader."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils import data as torch_data

from seenn_convert.data.arrays import class_indices, images_of
from seenn_convert.data.counts import check_no_bytes
from seenn_convert.data.dataset import Dataset
from seenn_convert.data.events import is_events
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.readers.image_folder import pixels_of
from seenn_convert.data.readers.open import open_dataset
from seenn_convert.data.samples import Samples
from seenn_convert.data.sources import ImageSource, ImageStore
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import InputError, reason_of
from seenn_convert.progress import Counter, Progress, silent


class Items(Protocol):
    """Images, or pairs or mappings of image and label, by number: a list, say, or a Hugging Face data set."""

    def __len__(self) -> int:
        """Return the number of images."""

    def __getitem__(self, index: int, /) -> Any:
        """Return one image, with its label if there is one."""


Array: TypeAlias = Tensor | NDArray[Any]
SampleData: TypeAlias = (
    Samples | Path | str | Array | tuple[Array, Array | Sequence[int] | None]
    | torch_data.Dataset[Any] | torch_data.DataLoader[Any] | Items
)  # fmt: skip
"""Everything that ``as_samples`` takes."""

ACCEPTED = "a path, a tensor or array, (images, labels), a torch Dataset or DataLoader, or a Hugging Face data set"
IMAGE_KEYS, LABEL_KEYS = ("image", "img", "pixel_values"), ("label", "labels")


def as_samples(
    data: SampleData,
    preprocessing: Preprocessing | None = None,
    channels: int | None = None,
    progress: Progress = silent,
    *,
    input_shape: Sequence[int] | None = None,
    labelled: bool = False,
) -> Samples:
    """Return images as the workflows read them; what is ``Samples`` already is returned as it is, in the layout wanted.

    A path is opened as ``open_dataset`` does. Tensors and arrays are used where they lie. A data set or loader is read
    once and its images are kept, in memory up to a gibibyte and beyond that in a temporary file, so that shuffling and
    augmentation cannot part an image from its label. Floating-point images are used as they are, because the user has
    preprocessed them; ``uint8`` ones and PIL images are pixels in 0..255 and go through ``preprocessing``.

    Args:
        data: One of ``SampleData``; items and batches are images or pairs (image, label), or mappings with both.
        preprocessing: Of pixels; nothing but the division by 255 where None.
        channels: How many channels the model takes, if that is known; image files and PIL images are converted.
        progress: Told about the images read.
        input_shape: Shape of the model's input, if that is known; it says the channels, too.
        labelled: Whether labels are needed; a file without them is refused before it is read.

    Raises:
        InputError: The data is of another kind, empty or endless, images differ in shape or hold NaN, or labels are no
            class indices, or needed and not there; or bytes are given for numbers that are no pixels.
    """
    samples = _samples(data, preprocessing, channels, progress, input_shape, labelled)
    if preprocessing is not None and preprocessing.counts:
        check_no_bytes(samples)
    return samples


def _samples(
    data: SampleData, preprocessing: Preprocessing | None, channels: int | None, progress: Progress,
    input_shape: Sequence[int] | None, labelled: bool,
) -> Samples:  # fmt: skip
    if isinstance(data, Dataset) and preprocessing is not None:
        return data.laid_out(preprocessing.layout)
    if isinstance(data, Samples):
        return data
    preprocessing = preprocessing or Preprocessing()
    if isinstance(data, (str, Path)):
        return open_dataset(Path(data), preprocessing, channels, input_shape=input_shape, labelled=labelled)
    wanted = Wanted.by(preprocessing, input_shape, channels, labelled)
    return Dataset.of(_source(data, wanted, progress), preprocessing)


def _source(data: Any, wanted: Wanted, progress: Progress) -> ImageSource:
    if is_events(data):
        raise InputError("an array of events is one recording; give a list of them, or of pairs (events, label)")
    if isinstance(data, (Tensor, np.ndarray)):
        data = (data, None)
    if isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], (Tensor, np.ndarray)):
        numbers = _array(data[0])  # first: it refuses what has no shape
        name = f"{type(data[0]).__name__} of shape {numbers.shape}"
        images = images_of(name, numbers, replace(wanted, tensors=isinstance(data[0], Tensor)))
        return ImageSource(name, images, None if data[1] is None else class_indices(name, _array(data[1]), len(images)))
    if isinstance(data, Mapping):
        raise InputError(f"data is a {type(data).__name__} of {', '.join(map(str, data))}; give one of its parts")
    if not hasattr(data, "__getitem__") and not hasattr(data, "__iter__"):
        raise InputError(f"data is of type {type(data).__name__}; give {ACCEPTED}")
    return _keep(data, _name(data), wanted, progress)


def _keep(data: Any, name: str, wanted: Wanted, progress: Progress) -> ImageSource:
    """Read every image once, with its label."""
    columns, sensor = _Columns.of(name, _innermost(data)), _sensor(_innermost(data))
    store, labels, first = ImageStore(), [], None
    for index, (image, label) in enumerate(_items(data, name, columns, progress)):
        pixels = _pixels(f"{name}, image {index}", image, wanted, sensor)
        first = pixels if first is None else first
        _check_alike(name, index, pixels, first)
        store.add(pixels)
        labels.append(label)
    if not labels:
        raise InputError(f"{name}: holds no image; give at least one")
    return ImageSource(name, store, _labels(name, labels), columns.class_names)


def _items(data: Any, name: str, columns: "_Columns", progress: Progress) -> Iterator[tuple[Any, Any]]:
    """Return an iterator over images and labels, None for a label that is not there."""
    try:
        length = len(data)
    except (TypeError, NotImplementedError) as error:
        raise InputError(f"{name}: has no length, so it may never end; give {ACCEPTED}") from error
    counter = Counter(progress, "reading the images", length)
    by_number = not isinstance(data, (torch_data.DataLoader, torch_data.IterableDataset))
    for part in _by_number(data, name, length) if by_number else data:
        image, label = columns.pair(part)
        alone = not isinstance(data, torch_data.DataLoader) or (data.batch_size is None and np.ndim(label) == 0)
        yield from [(image, label)] if alone else _rows(name, image, label)
        counter.add(1)


def _by_number(data: Any, name: str, length: int) -> Iterator[Any]:
    for index in range(length):
        try:
            yield data[index]
        except (IndexError, KeyError, TypeError) as error:
            raise InputError(
                f"{name}: has {length} items, but item {index} cannot be taken ({reason_of(error)}); give {ACCEPTED}"
            ) from error


def _rows(name: str, images: Any, labels: Any) -> Iterator[tuple[Any, Any]]:
    """Return an iterator over the images and labels of one batch."""
    if not isinstance(images, (Tensor, np.ndarray, list, tuple)):
        raise InputError(f"{name}: the images of a batch are of type {type(images).__name__}; give a tensor or a list")
    if labels is None:
        labels = [None] * len(images)
    elif np.shape(labels)[:1] != (len(images),):
        shape = np.shape(labels)
        raise InputError(f"{name}: a batch of {len(images)} images has labels of shape {shape}; give one for each")
    return zip(images, labels, strict=True)


@dataclass(frozen=True)
class _Columns:
    """Where the items of the data set ``name`` hold image and label, and what the classes are called."""

    name: str
    images: tuple[str, ...] = IMAGE_KEYS
    labels: tuple[str, ...] = LABEL_KEYS
    class_names: tuple[str, ...] | None = None

    @classmethod
    def of(cls, name: str, data: Any) -> "_Columns":
        """Return what a Hugging Face data set says in its features, or a torchvision one in its ``classes``."""
        features = getattr(data, "features", None)
        if isinstance(features, Mapping):
            kinds = {column: type(feature).__name__ for column, feature in features.items()}
            images, labels = ([one for one in kinds if kinds[one] == kind] for kind in ("Image", "ClassLabel"))
            for what, found in (("images", images), ("labels", labels)):
                if len(found) > 1:
                    raise InputError(f"{name}: several columns hold {what}, {', '.join(found)}; remove all but one")
            names = tuple(features[labels[0]].names) if labels else None
            return cls(name, (*images, *IMAGE_KEYS), (*labels, *LABEL_KEYS), names)
        classes = getattr(data, "classes", None)
        named = isinstance(classes, (list, tuple)) and all(isinstance(one, str) for one in classes)
        renumbered = getattr(data, "target_transform", None) is not None
        return cls(name, class_names=tuple(classes) if classes and named and not renumbered else None)

    def pair(self, item: Any) -> tuple[Any, Any]:
        """Return image and label of an item, or images and labels of a batch; no label is None."""
        if isinstance(item, Mapping):
            image = next((key for key in self.images if key in item), None)
            if image is None:
                raise InputError(f"{self.name}: no image among {', '.join(map(str, item))}; name it {self.images[0]}")
            return item[image], next((item[key] for key in self.labels if key in item), None)
        if not isinstance(item, (tuple, list)):
            return item, None
        if len(item) not in (1, 2):
            raise InputError(f"{self.name}: an item has {len(item)} parts; give image and label, or the image alone")
        return item[0], item[1] if len(item) == 2 else None


def _innermost(data: Any) -> Any:
    """Return the data set that a loader or a subset draws from."""
    while isinstance(data, (torch_data.DataLoader, torch_data.Subset)):
        data = data.dataset
    return data


def _name(data: Any) -> str:
    if isinstance(data, (torch_data.DataLoader, torch_data.Subset)):
        return f"{type(data).__name__} of {_name(data.dataset)}"
    return getattr(getattr(data, "info", None), "dataset_name", None) or type(data).__name__


def _sensor(data: Any) -> tuple[int, int] | None:
    """Return height and width of the sensor that a data set of ``tonic`` says its recordings are from."""
    size = getattr(data, "sensor_size", None)
    return (size[1], size[0]) if isinstance(size, (tuple, list)) and len(size) == 3 else None


def _pixels(place: str, image: Any, wanted: Wanted, sensor: tuple[int, int] | None = None) -> Tensor:
    """Return one image, ``(C, H, W)`` uint8 or float32 of any shape; events become frames."""
    if is_events(image):
        return wanted.event_frames(place, sensor).of_events(place, image)
    if isinstance(image, Image.Image):
        wanted.check_images(place)
        return pixels_of(image, place, wanted.channels)
    if not isinstance(image, (Tensor, np.ndarray)):
        raise InputError(f"{place}: is of type {type(image).__name__}; give a tensor, an array or a PIL image")
    return images_of(place, _array(image)[np.newaxis], replace(wanted, tensors=isinstance(image, Tensor)))[0]


def _check_alike(name: str, index: int, image: Tensor, first: Tensor) -> None:
    """Raise InputError where images cannot go together; pixels of several sizes may be resized later."""
    if image.dtype is not first.dtype:
        raise InputError(f"{name}: image {index} is {image.dtype} and image 0 is {first.dtype}; give all of one type")
    if image.is_floating_point() and image.shape != first.shape:
        if image.ndim == first.ndim == 4 and image.shape[1:] == first.shape[1:]:
            raise InputError(
                f"{name}: recording {index} has {len(image)} frames and recording 0 has {len(first)}; make as many "
                "frames of each, by a number of frames and not by their duration"
            )
        raise InputError(
            f"{name}: image {index} has shape {tuple(image.shape)} and image 0 {tuple(first.shape)}; make them alike "
            "in the transform"
        )


def _labels(name: str, labels: Sequence[Any]) -> Tensor | None:
    missing = [index for index, label in enumerate(labels) if label is None]
    if len(missing) == len(labels):
        return None
    if missing:
        raise InputError(f"{name}: image {missing[0]} has no label and others have; label all or none")
    arrays = [_array(label) for label in labels]
    for index, array in enumerate(arrays):
        if array.shape not in ((), (1,)) or array.dtype.kind not in "iufb":
            kind = f"{array.dtype} of shape {array.shape}"
            raise InputError(f"{name}: the label of image {index} is {kind}; give a whole number, the class index")
    return class_indices(name, np.concatenate([array.reshape(1) for array in arrays]), len(arrays))


def _array(value: Any) -> NDArray[Any]:
    if isinstance(value, np.ma.MaskedArray):
        raise InputError("a masked array hides some of its numbers; give them filled (.filled(0)), or leave them out")
    try:
        if isinstance(value, Tensor):
            value = value.detach().cpu().resolve_neg()
            value = (value.float() if value.is_floating_point() else value).numpy()
        array: NDArray[Any] = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # sparse, quantised, without memory, ragged
        kind = type(value).__name__
        raise InputError(f"a {kind} cannot be read as an array ({reason_of(error)}); give a dense one") from error
    return array
