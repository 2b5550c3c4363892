"""The state of a training comes back whole, on the device that goes on with it."""

from pathlib import Path

import pytest
import torch

from seenn_convert.errors import InputError
from seenn_convert.training.keeping import save_state, saved_state


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
