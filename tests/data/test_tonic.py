"""Data sets and files as ``tonic`` reads them; skipped where it is not installed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from event_arrays import event_bytes, write_recordings

from seenn_convert.data.adapters import as_samples
from seenn_convert.data.events import EventFrames
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.readers.event_folder import read_events

tonic = pytest.importorskip("tonic", reason="tonic is not installed")


class Unchecked(tonic.datasets.NMNIST):
    """N-MNIST of which only a few recordings are there."""

    def _check_exists(self) -> bool:
        return True


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_recordings(tmp_path / "Unchecked" / "Train", ["0", "7"], 2)
    return tmp_path


def test_files_hold_the_events_that_tonic_finds(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = list(zip(*random.integers(0, [34, 34, 2**23, 2], (200, 4)).T.tolist(), strict=True))
    (tmp_path / "a.bin").write_bytes(event_bytes(*rows[:90], (0, 240, 0, 0), *rows[90:]))

    found = read_events(tmp_path / "a.bin")

    expected = tonic.io.read_mnist_file(str(tmp_path / "a.bin"), dtype=tonic.datasets.NMNIST.dtype)
    assert all(np.array_equal(found[field], expected[field]) for field in "xytp")


def test_a_data_set_of_tonic_is_read_as_it_is(folder: Path) -> None:
    data = as_samples(Unchecked(str(folder)), Preprocessing(events=EventFrames(4)))

    assert data.image_shape == (4, 2, 34, 34)
    assert data.labels.tolist() == [0, 0, 7, 7]
    assert data.class_names[7] == "7 - seven"


def test_frames_by_count_are_those_of_tonic(folder: Path) -> None:
    """60 events in 4 frames of 15, in the order of their times, as tonic takes them from sorted events."""
    ordered = Unchecked(str(folder), transform=lambda events: events[np.argsort(events["t"], kind="stable")])
    to_frames = tonic.transforms.ToFrame(sensor_size=(34, 34, 2), n_event_bins=4)
    theirs = Unchecked(str(folder), transform=lambda events: to_frames(events[np.argsort(events["t"], kind="stable")]))

    ours, frames = as_samples(ordered, Preprocessing(events=EventFrames(4, "count"))), as_samples(theirs)

    assert torch.equal(next(ours.batches(4))[0], next(frames.batches(4))[0])
