"""N-MNIST files: 40 bits an event, in class folders."""

from pathlib import Path

import numpy as np
import pytest
import torch
from event_arrays import event_bytes, events, write_recordings

from seenn_convert.data.events import EventFrames
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.readers.event_folder import read_events, write_events
from seenn_convert.data.readers.open import open_dataset
from seenn_convert.errors import InputError

EVENTS = Preprocessing(events=EventFrames(3, sensor=(8, 8)))


def test_an_event_is_40_bits(tmp_path: Path) -> None:
    """The format, bit by bit: x, y, then polarity and time in three bytes, most significant first."""
    path = tmp_path / "a.bin"
    path.write_bytes(bytes([12, 34, 0b1000_0001, 2, 3, 255, 7, 0b0111_1111, 255, 255]))

    found = read_events(path)

    assert found["x"].tolist() == [12, 255]
    assert found["y"].tolist() == [34, 7]
    assert found["p"].tolist() == [1, 0]
    assert found["t"].tolist() == [65536 + 2 * 256 + 3, 2**23 - 1]


def test_row_240_marks_a_clock_that_ran_over(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(event_bytes((1, 1, 5, 0), (0, 240, 0, 0), (2, 2, 6, 1), (0, 240, 0, 0), (3, 3, 7, 1)))

    assert read_events(path)["t"].tolist() == [5, 6 + 2**13, 7 + 2 * 2**13]
    assert read_events(path)["x"].tolist() == [1, 2, 3]


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    written = events((0, 0, 0, 0), (255, 239, 2**23 - 1, 1), (3, 4, 500, 1))
    write_events(tmp_path / "a.bin", written)

    found = read_events(tmp_path / "a.bin")

    assert all(np.array_equal(found[field], written[field]) for field in "xytp")
    with pytest.raises(InputError, match="x is at most 255"):
        write_events(tmp_path / "b.bin", events((256, 0, 0, 0)))


def test_a_folder_of_class_folders_is_labelled(tmp_path: Path) -> None:
    write_recordings(tmp_path, ["1", "0"], 2)

    data = open_dataset(tmp_path, EVENTS)

    assert (data.class_names, data.labels.tolist()) == (("0", "1"), [0, 0, 1, 1])
    assert data.image_shape == (3, 2, 8, 8)
    images, _ = next(data.batches(4))
    assert torch.equal(images.sum((1, 2, 3, 4)), torch.full((4,), 60.0))
    path = tmp_path / "1" / "00001.bin"
    assert torch.equal(images[3], EventFrames(3, sensor=(8, 8)).of_events("", read_events(path)))


def test_the_network_says_how_many_frames(tmp_path: Path) -> None:
    write_recordings(tmp_path, ["0"], 1)

    assert open_dataset(tmp_path, input_shape=(5, 2, 8, 8)).image_shape == (5, 2, 8, 8)


def test_bad_recordings_are_told(tmp_path: Path) -> None:
    write_recordings(tmp_path, ["0"], 1)
    with pytest.raises(InputError, match=r"holds events, which become frames.*say how many \(--frames 10"):
        open_dataset(tmp_path)
    with pytest.raises(InputError, match="5 frames are asked for, and the model takes recordings of 3"):
        open_dataset(tmp_path, Preprocessing(events=EventFrames(5)), input_shape=(3, 2, 8, 8))
    with pytest.raises(InputError, match=r"the model takes inputs of shape \(3, 8, 8\); give a model of 2 channels"):
        open_dataset(tmp_path, EVENTS, input_shape=(3, 8, 8))
    with pytest.raises(InputError, match=r"outside the sensor of 4 x 8 pixels; give the sensor's height and width"):
        open_dataset(tmp_path, Preprocessing(events=EventFrames(3, sensor=(4, 8))))

    path = tmp_path / "0" / "00000.bin"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(InputError, match="298 bytes are no whole number of events of 5 bytes; the file is truncated"):
        open_dataset(tmp_path, EVENTS)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="00000.bin: holds no event; remove the recording"):
        open_dataset(tmp_path, EVENTS)
    (tmp_path / "1").mkdir()
    with pytest.raises(InputError, match="1: class folder without a recording; add recordings or remove the folder"):
        open_dataset(tmp_path, EVENTS)
