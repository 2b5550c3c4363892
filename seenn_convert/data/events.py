"""Events of a camera as frames: how many events each pixel sent in each part of a recording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seenn_convert.choices import is_whole
from seenn_convert.errors import InputError

SplitBy = Literal["time", "count"]
SPLITS: tuple[SplitBy, ...] = get_args(SplitBy)

POLARITIES = 2
"""Brightness falls (channel 0) or rises (channel 1)."""

FRAME_AXES = 3
"""Axes of one frame."""

NMNIST_SENSOR = (34, 34)
"""Height and width."""

FIELDS = ("x", "y", "t", "p")
"""Fields of an array of events: column, row, time, polarity."""

MOST_NUMBERS = 2**28
"""Numbers in the frames of one recording at most: 1 GB in single precision."""


@dataclass(frozen=True)
class EventFrames:
    """How the events of a recording become frames ``(frames, 2, H, W)``: counts of events by polarity and pixel.

    Args:
        frames: Number of frames N, one for each timestep.
        by: Whether a frame holds an equal part of the recording's ``"time"``, or of its number of events
            (``"count"``). By time, the first event begins the first frame and the last event ends the last one.
        sensor: Height and width in pixels. None is that of the model's input where it is known, then that which a data
            set says of itself, and else that of N-MNIST, 34 x 34.

    Raises:
        InputError: A number is out of range, or ``by`` is another word.
    """

    frames: int
    by: SplitBy = "time"
    sensor: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Check every field, so that a value that exists can be applied."""
        if not is_whole(self.frames) or self.frames < 1:
            raise InputError(f"events: frames must be a whole number, 1 or more, got {self.frames!r} (--frames)")
        if self.by not in SPLITS:
            raise InputError(f"events: by must be one of {', '.join(SPLITS)}, got {self.by!r} (--frames-by)")
        sensor = self.sensor
        if sensor is None:
            return
        if not isinstance(sensor, Sequence) or len(sensor) != 2 or not all(is_whole(n) and n >= 1 for n in sensor):
            raise InputError(f"events: sensor must be height and width in pixels, got {sensor!r} (--sensor)")
        object.__setattr__(self, "sensor", tuple(sensor))
        if self.frames * POLARITIES * sensor[0] * sensor[1] > MOST_NUMBERS:
            raise InputError(
                f"events: {self.frames} frames of {sensor[0]} x {sensor[1]} pixels are too large for one recording; "
                "give fewer frames (--frames)"
            )

    def of_sensor(self, sensor: Sequence[int] | None) -> "EventFrames":
        """Return the same for a sensor of this height and width, unless its own is known."""
        if self.sensor is not None or sensor is None:
            return self
        return replace(self, sensor=(int(sensor[0]), int(sensor[1])))

    def of_events(self, place: str, events: NDArray[np.void]) -> Tensor:
        """Return the frames ``(frames, 2, H, W)`` float32 of an array of events with the fields x, y, t and p.

        Args:
            place: Of the recording, for messages.
            events: In any order; p is 0 or -1 where brightness falls, and 1 where it rises.

        Raises:
            InputError: There is no event, a field is missing, or an event lies outside the sensor or has another
                polarity.
        """
        x, y, t, p = (_column(place, events, field) for field in FIELDS)
        if not len(t):
            raise InputError(f"{place}: holds no event; remove the recording")
        height, width = self.sensor or NMNIST_SENSOR
        _check_sensor(place, x, y, (height, width))
        _check_polarity(place, p)
        pixel = (self._numbers(t) * POLARITIES + (p > 0)) * height * width + y * width + x
        counts = np.bincount(pixel, minlength=self.frames * POLARITIES * height * width)
        return torch.from_numpy(counts.astype(np.float32)).reshape(self.frames, POLARITIES, height, width)

    def _numbers(self, t: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the frame of each event."""
        if self.by == "count":
            ranks = np.empty(len(t), np.int64)
            ranks[np.argsort(t, kind="stable")] = np.arange(len(t))
            ranks *= self.frames
            ranks //= len(t)
            return ranks
        parts: NDArray[np.int64] = (t - t.min()) * self.frames // (t.max() - t.min() + 1)
        return parts


def events_from_json(data: Mapping[str, Any]) -> EventFrames:
    """Read what ``dataclasses.asdict`` made of ``EventFrames`` and JSON of that.

    Raises:
        InputError: A key is unknown or missing, or a value has the wrong type.
    """
    sensor = data.get("sensor")
    try:
        return EventFrames(**{**data, "sensor": tuple(sensor) if isinstance(sensor, list) else sensor})
    except TypeError as error:
        raise InputError(f"preprocessing: events are described by frames, by and sensor, got {dict(data)}") from error


def is_events(array: object) -> bool:
    """Return whether an array has named fields, as events have."""
    return isinstance(array, np.ndarray) and array.dtype.names is not None


def _column(place: str, events: NDArray[np.void], field: str) -> NDArray[np.int64]:
    names = events.dtype.names or ()
    if field not in names or events.ndim != 1:
        shape = "" if events.ndim == 1 else f" in an array of shape {events.shape}"
        raise InputError(
            f"{place}: events have the fields {', '.join(FIELDS)}, one event a row, and these have "
            f"{', '.join(names)}{shape}; rename or add what is missing"
        )
    values = events[field]
    if values.dtype.kind not in "iub":
        raise InputError(
            f"{place}: the field {field} of the events holds {values.dtype}; give whole numbers, t in microseconds"
        )
    return values.astype(np.int64)


def _check_sensor(place: str, x: NDArray[np.int64], y: NDArray[np.int64], sensor: tuple[int, int]) -> None:
    outside = (x < 0) | (x >= sensor[1]) | (y < 0) | (y >= sensor[0])
    if outside.any():
        first = int(np.argmax(outside))
        raise InputError(
            f"{place}: event {first} is at column {x[first]} and row {y[first]}, outside the sensor of {sensor[0]} x "
            f"{sensor[1]} pixels; give the sensor's height and width (--sensor, EventFrames(sensor=...))"
        )


def _check_polarity(place: str, p: NDArray[np.int64]) -> None:
    values = np.unique(p)
    if len(values) > POLARITIES or not (set(values) <= {0, 1} or set(values) <= {-1, 1}):
        shown = ", ".join(map(str, values[:4])) + (", ..." if len(values) > 4 else "")
        raise InputError(f"{place}: polarities are 0 and 1, or -1 and 1, and these events have {shown}")
