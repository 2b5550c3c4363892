"""Ask the C allocator to keep the pages it has: fresh pages cost a spiking step more than its arithmetic."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_pages() -> bool:
    """Let freed tensors of up to 1 GiB stay mapped in this process; True where the C library has such a setting.

    Meant for a program of its own, such as the command line: it changes the allocator of the whole process.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, 1 << 30)) and bool(mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1))
