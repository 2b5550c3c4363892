"""The state of a training comes back whole, on the device that goes on with it."""

import errno
from pathlib import Path

import pytest
import torch

from seenn_convert.errors import InputError
from seenn_convert.training.keeping import save_state, saved_state, write_state


def test_a_state_comes_back_on_the_device_that_goes_on(tmp_path: Path) -> None:
    """A training that began on one device may go on where that one is missing."""
    path = tmp_path / "state.pt"
    assert saved_state(path, "this") is None
    save_state(path, "this", {"shares": torch.ones(2)})
    again = saved_state(path, "this")
    assert again is not None and again["shares"].tolist() == [1, 1]
    elsewhere = saved_state(path, "this", "meta")
    assert elsewhere is not None and elsewhere["shares"].device.type == "meta"
    assert [one.name for one in tmp_path.iterdir()] == ["state.pt"]


def test_nobody_is_told_to_remove_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this is not a file; name a file"):
        saved_state(tmp_path, "this")


class _FullDisk:
    """A file of which only the beginning fits."""

    def __init__(self) -> None:
        self.room = 100_000

    def write(self, data: bytes) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(data)

    def flush(self) -> None:
        pass


def test_a_full_disk_is_told_as_such() -> None:
    """Whatever the size of the state: torch tells of it as a defect inside its own writer."""
    for size in (10, 100_000, 1_000_000):
        state = {"weights": torch.randn(size)}
        if size == 10:
            write_state(state, _FullDisk())  # type: ignore[arg-type]
            continue
        with pytest.raises(OSError, match="No space left"):
            write_state(state, _FullDisk())  # type: ignore[arg-type]
