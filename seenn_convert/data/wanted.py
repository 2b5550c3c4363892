"""What a model takes, as far as it is known when its data is read."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seenn_convert.data.events import FRAME_AXES, POLARITIES, EventFrames
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.errors import InputError


@dataclass(frozen=True)
class Wanted:
    """What data is read for; the defaults say that nothing is known.

    Attributes:
        shape: Of the model's input, without the batch.
        channels: How many channels its images have; image files are converted to that many.
        labelled: Whether labels are needed: data without them is refused before it is read.
        resized: Whether images may have any size, since they are resized or cropped.
        tensors: Whether the data is tensors of PyTorch, for advice that works with them.
        events: How events become frames, if that is known.
    """

    shape: tuple[int, ...] | None = None
    channels: int | None = None
    labelled: bool = False
    resized: bool = False
    tensors: bool = False
    events: EventFrames | None = None

    @classmethod
    def by(
        cls, preprocessing: Preprocessing, shape: Sequence[int] | None, channels: int | None = None,
        labelled: bool = False,
    ) -> "Wanted":  # fmt: skip
        """Return what a model with inputs of ``shape`` takes whose images go through ``preprocessing``."""
        resized = preprocessing.resize is not None or preprocessing.crop is not None
        if shape is None:
            return cls(None, channels, labelled, resized, events=preprocessing.events)
        by_rank = {1: 1, 2: 1, 3: shape[-1] if preprocessing.layout == "channels_last" else shape[0]}
        return cls(tuple(shape), by_rank.get(len(shape), channels), labelled, resized, events=preprocessing.events)

    @property
    def takes_images(self) -> bool:
        """Whether pixels of an image can be its input: rows and columns, with or without channels, or all in a row."""
        return self.shape is None or len(self.shape) <= 3

    def is_recording(self, shape: Sequence[int]) -> bool:
        """Return whether data of ``shape`` is recordings ``(frames, C, H, W)`` of images that the model takes."""
        return self.shape is not None and len(self.shape) == 3 and tuple(shape[1:]) == self.shape

    def event_frames(self, place: Path | str, sensor: Sequence[int] | None = None) -> EventFrames:
        """Return how events become frames: as the user says, and as the model takes them.

        Args:
            place: Of the recordings, for messages.
            sensor: Height and width, if the data itself says them.

        Raises:
            InputError: It is not known how many frames there are to be, or the model takes no frames of events.
        """
        shape, recordings = self.shape or (), len(self.shape or ()) == 1 + FRAME_AXES
        events = EventFrames(shape[0]) if self.events is None and recordings else self.events
        if events is None:
            raise InputError(
                f"{place}: holds events, which become frames, one for each timestep; say how many (--frames 10, "
                "Preprocessing(events=EventFrames(10)))"
            )
        frame = shape[-FRAME_AXES:]
        if shape and (len(frame) != FRAME_AXES or frame[0] != POLARITIES):
            raise InputError(
                f"{place}: events become frames ({POLARITIES}, H, W), a channel for each polarity, and the model takes "
                f"inputs of shape {shape}; give a model of {POLARITIES} channels, or frames as it takes them as .npz"
            )
        if recordings and events.frames != shape[0]:
            raise InputError(
                f"{place}: {events.frames} frames are asked for, and the model takes recordings of {shape[0]}"
            )
        return events.of_sensor(frame[1:] if shape else sensor)

    def check_images(self, place: Path | str) -> None:
        """Raise InputError if image files cannot be the model's input."""
        if not self.takes_images:
            raise InputError(f"{place}: the model takes inputs of shape {self.shape}, no images; {self.npz_advice()}")
        if self.channels not in (None, 1, 3, 4):
            raise InputError(
                f"{place}: an image has 1, 3 or 4 channels, the model takes {self.channels}; {self.npz_advice()}"
            )

    def check_labelled(self, place: Path | str, has_labels: bool) -> None:
        """Raise InputError if labels are needed and there are none."""
        if self.labelled and not has_labels:
            raise InputError(no_labels(place))

    def check_pixels(self, place: Path | str, image: Sequence[int]) -> None:
        """Raise InputError if images ``(H, W)``, or with their channels at either end, have another size for good."""
        colour = len(image) == 3
        if self.shape is None or self.channels is None or self.resized:
            return
        if colour and self.channels not in (image[0], image[-1]):
            return  # its channels are the trouble
        if math.prod(image) * (1 if colour else self.channels) != math.prod(self.shape):
            raise InputError(
                f"{place}: images have shape {tuple(image)}, the model takes {self.shape}; give --resize and --crop to "
                "'convert', or images of that size"
            )

    def npz_advice(self) -> str:
        """Return the sentence that says which file the model would take."""
        return f"give an .npz file with x of shape {self.array_text()}"

    def array_text(self) -> str:
        """Return the shape of an array of inputs as text."""
        return text_of(self.shape or ("C", "H", "W"))


def no_labels(place: Path | str, needed_by: str = "evaluation") -> str:
    """Return the sentence on data that was to be labelled."""
    return (
        f"{place} has no labels; {needed_by} needs an npz with 'y', class folders, an IDX label file, or pairs of "
        "image and label"
    )


def text_of(shape: Sequence[object]) -> str:
    """Return the shape of an array of samples as text, such as ``(N, 3, 32, 32)``."""
    return f"({', '.join(map(str, ('N', *shape)))})"
