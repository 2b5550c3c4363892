"""What does not fit into memory is refused before it is read."""

import pytest

from seenn_convert.data.readers import free_memory
from seenn_convert.errors import InputError


def test_the_free_memory_of_this_machine_is_known_or_not() -> None:
    found = free_memory.free_memory()
    assert found is None or 2**20 < found < 2**50


def test_more_than_is_free_is_refused_in_readable_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "free_memory", lambda: 3 * 2**20)
    free_memory.check_fits("x.npz: x", 3 * 2**20)
    with pytest.raises(InputError, match=r"x\.npz: x takes 5\.0 GiB in memory and 3 MiB are free"):
        free_memory.check_fits("x.npz: x", 5 * 2**30)


def test_nothing_is_refused_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "free_memory", lambda: None)
    free_memory.check_fits("x", 2**80)
