"""Made event recordings: what moves makes events at its edges, parts share no picture, files hold the same events."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seenn_convert.data.readers.event_folder import read_events, write_events

ROOT = Path(__file__).parents[2]

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT / "benchmarks")
    import made_events


def test_no_picture_is_in_two_parts() -> None:
    pictures = [set(range(part.first, part.last)) for part in made_events.PARTS]

    assert sum(map(len, pictures)) == len(set.union(*pictures)) == 3000


def test_only_what_changes_sends_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """A black scene is silent; a square's pixels grow bright where it goes, and what lies far from its edges is silent."""
    monkeypatch.setattr(made_events, "NOISE", 0.0)
    square = np.zeros((2, 28, 28), np.uint8)
    square[1, 4:24, 4:24] = 255

    events = made_events.recordings(square, seed=0)

    assert events.shape == (2, 50, 2, 34, 34)
    assert not events[0].any()
    frames = made_events.frames_of(events)[1].sum(0)
    assert frames[0].sum() > 0 and frames[1].sum() > 0
    assert frames[:, 15:19, 15:19].sum() == 0
    assert frames[:, 0].sum() == 0


def test_files_hold_the_same_events(tmp_path: Path) -> None:
    events = made_events.recordings(np.random.default_rng(0).integers(0, 256, (1, 28, 28)).astype(np.uint8), seed=1)
    write_events(tmp_path / "a.bin", made_events.rows_of(events[0], 0))

    found = read_events(tmp_path / "a.bin")

    assert (np.diff(found["t"]) >= 0).all()
    number = found["t"] // made_events.MICROSECONDS
    counts = torch.zeros(10, 2, 34, 34)
    np.add.at(counts.numpy(), (number, found["p"], found["y"], found["x"]), 1)
    assert torch.equal(counts, made_events.frames_of(events)[0].float())
