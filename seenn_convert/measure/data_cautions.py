"""The warnings about how calibration data was read, where it might have been meant otherwise."""

from collections.abc import Iterator, Sequence

from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.data.counts import are_bytes
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.samples import Samples

SHOWN = 4
"""Names of classes in a warning."""

STEPS = ("resize", "crop", "mean", "std")
"""Fields of ``Preprocessing`` that change pixels."""


def data_cautions(data: Samples) -> Iterator[Caution]:
    """Return an iterator over the warnings about ``data``."""
    names = data.class_names
    stated = getattr(data, "class_order", None) is not None
    if names is not None and not stated and _are_numbers_out_of_order(names):
        yield Caution(
            "class_order",
            f"the classes are named by numbers and sorted as text ({', '.join(names[:SHOWN])}, ...), as torchvision's "
            "ImageFolder sorts them; if the model numbers them otherwise, name them in its order (--class-names)",
        )
    yield from byte_cautions(data)


def byte_cautions(data: Samples) -> Iterator[Caution]:
    """Return an iterator over a warning if numbers of ``data`` that are no images were read as pixels."""
    if are_bytes(data):
        yield Caution(
            "bytes_as_pixels",
            "x is uint8, so its numbers were read as pixels and divided by 255; if these "
            f"{_shape(data.original(0).shape)} numbers are no pixels, give them as float32",
        )


def frame_cautions(frames: int | None, timesteps: int) -> Iterator[Caution]:
    """Return an iterator over a warning if a run of ``timesteps`` does not end with the last frame of a recording."""
    if frames is None or timesteps % frames == 0:
        return
    begun = f"it has seen the first {timesteps} of {frames} frames"
    if timesteps > frames:
        begun = f"of {frames} frames it has seen the first {timesteps % frames} once more than the others"
    yield Caution(
        "partial_recording",
        f"the network runs for {timesteps} timesteps: at the end {begun}, so its answer does not tend to that of the "
        f"ANN, which sees the mean of all; give -T {frames}, or a multiple",
    )


def unused_preprocessing(data: Samples, given: Preprocessing | None) -> Iterator[Caution]:
    """Return an iterator over the warnings about steps that the user has ``given`` and ``data`` does not go through."""
    steps = [f"--{name}" for name in STEPS if getattr(given, name, None) is not None]
    if steps and data.original(0).is_floating_point():
        yield Caution(
            "preprocessing_unused",
            f"{data.name} holds floating-point numbers, which are taken as preprocessed already: {', '.join(steps)} "
            f"{'was' if len(steps) == 1 else 'were'} not applied to them, and will be to pixels that come later; if "
            "these numbers are not preprocessed, preprocess them yourself, or give pixels as uint8",
        )


def _are_numbers_out_of_order(names: Sequence[str]) -> bool:
    """Return whether all names are whole numbers, in another order than by size."""
    if not all(name.isascii() and name.isdigit() for name in names):
        return False
    return sorted(names, key=int) != list(names)


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
