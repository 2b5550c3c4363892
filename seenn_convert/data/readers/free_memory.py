"""Whether data fits into memory, asked before it is read: a small compressed file can announce any size."""

import os
from pathlib import Path

from seenn_convert.errors import InputError

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current")
"""What this process may take and what it and others take, if it runs in a container of Linux."""


def check_fits(place: str, needed: int) -> None:
    """Raise InputError if ``needed`` bytes are more than the memory that is free, as far as the system tells."""
    free = free_memory()
    if free is not None and needed > free:
        raise InputError(
            f"{place} takes {_size(needed)} in memory and {_size(free)} are free; give fewer samples, or image files, "
            "which are read one by one"
        )


def free_memory() -> int | None:
    """Return the bytes that are free, None if the system does not tell."""
    found = [value for value in (_of_machine(), _of_container()) if value is not None]
    return min(found, default=None)


def _of_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return None


def _of_container() -> int | None:
    try:
        most, used = (int(Path(path).read_text()) for path in _LIMITS)
    except (OSError, ValueError):  # no such system, or "max"
        return None
    return max(0, most - used)


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
