"""The most memory that a call holds beyond what was held before, where the system tells."""

import ctypes
from collections.abc import Callable
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_megabytes(work: Callable[[], object]) -> float | None:
    """Run ``work`` and return by how much memory grew at most, in MB; None if the system does not tell.

    What the allocator had kept is given back before, or a second call would seem to need none.
    """
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        CLEAR.write_text("5")  # the peak starts again at what is held now
        before = _field("VmRSS")
    except (OSError, AttributeError, KeyError):
        work()
        return None
    work()
    return max(_field("VmHWM") - before, 0.0)


def _field(name: str) -> float:
    """Return a field of the status of this process in MB."""
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines() if ":" in line)
    return int(fields[name].split()[0]) * 1024 / 1e6
