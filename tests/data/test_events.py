"""Events become frames: counts by part of the recording, polarity and pixel."""

import numpy as np
import pytest
import torch
from event_arrays import events
from hypothesis import given
from hypothesis import strategies as st

from seenn_convert.data.adapters import as_samples
from seenn_convert.data.events import EventFrames, events_from_json
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.errors import InputError

TWO = EventFrames(2, sensor=(3, 4))


def test_a_frame_counts_the_events_of_its_part_by_polarity_and_pixel() -> None:
    """Times 0 to 9 in two parts: 0 to 4, and 5 to 9."""
    frames = TWO.of_events("a", events((3, 0, 0, 1), (3, 0, 4, 1), (1, 2, 4, 0), (3, 0, 5, 1), (0, 1, 9, 0)))

    expected = torch.zeros(2, 2, 3, 4)
    expected[0, 1, 0, 3] = 2
    expected[0, 0, 2, 1] = 1
    expected[1, 1, 0, 3] = 1
    expected[1, 0, 1, 0] = 1
    assert torch.equal(frames, expected)


def test_by_count_each_frame_holds_as_many_events_in_the_order_of_their_times() -> None:
    rows = events((0, 0, 900, 0), (1, 0, 3, 0), (2, 0, 1, 0), (3, 0, 2, 0))

    frames = EventFrames(2, "count", (3, 4)).of_events("a", rows)

    assert frames[0, 0, 0].tolist() == [0, 0, 1, 1]
    assert frames[1, 0, 0].tolist() == [1, 1, 0, 0]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2**40), st.integers(0, 1)), min_size=1),
       st.integers(1, 9), st.sampled_from(["time", "count"]))  # fmt: skip
def test_no_event_is_lost_and_order_does_not_matter(rows, count, by) -> None:
    binning, array = EventFrames(count, by, (3, 4)), events(*rows)

    frames = binning.of_events("a", array)

    assert frames.sum() == len(rows)
    if by == "time" or len({t for _, _, t, _ in rows}) == len(rows):
        assert torch.equal(frames, binning.of_events("a", array[::-1]))
    if by == "count":
        sizes = frames.flatten(1).sum(1)
        assert sizes.max() - sizes.min() <= 1


def test_polarities_may_be_signs() -> None:
    signed = events((0, 0, 0, -1), (1, 1, 5, 1), dtype=np.dtype([(name, "<i4") for name in "xytp"]))

    assert torch.equal(TWO.of_events("a", signed), TWO.of_events("a", events((0, 0, 0, 0), (1, 1, 5, 1))))


@pytest.mark.parametrize(("rows", "message"), [
    ([], "a: holds no event; remove the recording"),
    ([(0, 0, 0, 0), (4, 1, 0, 0)], "a: event 1 is at column 4 and row 1, outside the sensor of 3 x 4 pixels"),
    ([(0, 3, 0, 0)], "outside the sensor"),
    ([(-1, 0, 0, 0)], "outside the sensor"),
    ([(0, 0, 0, 0), (0, 0, 0, 2)], "a: polarities are 0 and 1, or -1 and 1, and these events have 0, 2"),
    ([(0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 0, -1)], "these events have -1, 0, 1"),
])  # fmt: skip
def test_bad_events_are_refused(rows, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TWO.of_events("a", events(*rows, dtype=np.dtype([(name, "<i4") for name in "xytp"])))


def test_other_fields_are_refused() -> None:
    with pytest.raises(InputError, match="events have the fields x, y, t, p, one event a row, and these have x, y, t"):
        TWO.of_events("a", np.zeros(3, np.dtype([("x", "i4"), ("y", "i4"), ("t", "i4")])))
    with pytest.raises(InputError, match="the field t of the events holds float64; give whole numbers"):
        TWO.of_events("a", np.zeros(3, np.dtype([("x", "i4"), ("y", "i4"), ("t", "f8"), ("p", "i4")])))


@pytest.mark.parametrize("bad", [{"frames": 0}, {"frames": 2.5}, {"frames": 2, "by": "speed"},
                                 {"frames": 2, "sensor": (3,)}, {"frames": 2, "sensor": (3, 0)},
                                 {"frames": 2**20, "sensor": (1000, 1000)}])  # fmt: skip
def test_settings_out_of_range_are_refused(bad) -> None:
    with pytest.raises(InputError, match="events: "):
        EventFrames(**bad)


def test_preprocessing_keeps_how_events_become_frames() -> None:
    """And what was written before there were events is read as before."""
    told = Preprocessing(events=EventFrames(5, "count", (34, 34)))

    assert Preprocessing.from_json(told.to_json()) == told
    assert "events" not in Preprocessing().to_json()
    with pytest.raises(InputError, match="events are described by frames, by and sensor"):
        events_from_json({"number": 3})


class Recordings:
    """As a data set of ``tonic``: pairs of events and class index, with the size of the sensor (W, H, P)."""

    sensor_size = (4, 3, 2)
    classes = ("still", "moving")

    def __init__(self, *recordings) -> None:
        self.recordings = recordings

    def __len__(self) -> int:
        return len(self.recordings)

    def __getitem__(self, index: int):
        return self.recordings[index], index % 2


def test_a_data_set_of_events_is_read_with_its_own_sensor() -> None:
    found = events((3, 2, 0, 1)), events((0, 0, 1, 0), (1, 1, 7, 1))

    data = as_samples(Recordings(*found), Preprocessing(events=EventFrames(2)))

    assert data.image_shape == (2, 2, 3, 4)
    assert data.labels.tolist() == [0, 1]
    assert data.class_names == ("still", "moving")
    images, _ = next(data.batches(2))
    assert torch.equal(images, torch.stack([TWO.of_events("a", one) for one in found]))


def test_the_model_says_frames_and_sensor_where_nobody_else_does() -> None:
    data = as_samples([events((3, 2, 0, 1))], input_shape=(5, 2, 3, 4))

    assert data.image_shape == (5, 2, 3, 4)
    assert data.labels is None


def test_frames_of_a_transform_are_taken_as_they_are() -> None:
    """Whole numbers are counts, not pixels: nothing is divided by 255."""
    counts = np.arange(24, dtype=np.int16).reshape(2, 1, 3, 4)

    data = as_samples([(counts, 1), (2 * counts, 0)], input_shape=(1, 3, 4))

    assert data.image_shape == (2, 1, 3, 4)
    assert torch.equal(next(data.batches(2))[0][1], torch.from_numpy(2 * counts).float())


@pytest.mark.parametrize(("data", "shape", "message"), [
    ([events((0, 0, 0, 0))], None, "image 0: holds events, which become frames, one for each timestep; say how many"),
    (events((0, 0, 0, 0)), None, "an array of events is one recording; give a list of them"),
    ([events((0, 0, 0, 0))], (5, 3, 3, 4), r"events become frames \(2, H, W\), a channel for each polarity"),
    ([events((0, 0, 0, 0))], (8,), r"holds events, which become frames.*say how many \(--frames 10"),
    ([np.zeros((3, 2, 4, 4), np.float32), np.zeros((5, 2, 4, 4), np.float32)], None,
     "recording 1 has 5 frames and recording 0 has 3; make as many frames of each"),
])  # fmt: skip
def test_what_cannot_be_read_is_told(data, shape, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_samples(data, input_shape=shape)
