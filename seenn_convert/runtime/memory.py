"""Ask the C allocator to keep the pages it has: fresh pages cost a spiking step more than its arithmetic."""

import ctypes
import mmap
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

_HEAP = (1 << 30) - mmap.PAGESIZE
"""Bytes of the heap that are asked to lie in huge pages; just below the threshold from which a block lies elsewhere."""


def keep_pages() -> bool:
    """Let freed tensors of up to 1 GiB stay mapped in this process; True where the C library has such a setting.

    The first gigabyte of the heap asks the kernel for huge pages, which a step over large layers needs fewer look-ups
    for. Meant for a program of its own, such as the command line: it changes the allocator of the whole process.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        libc = ctypes.CDLL("libc.so.6")
        mallopt = libc.mallopt
    except (OSError, AttributeError):
        return False
    kept = bool(mallopt(_M_MMAP_THRESHOLD, 1 << 30)) and bool(mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1))
    if kept:
        _ask_for_huge_pages(libc)
    return kept


def _ask_for_huge_pages(libc: ctypes.CDLL) -> None:
    """Advise the kernel about a block that is then given back untouched: the heap grows by it and keeps the advice."""
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    block = libc.malloc(_HEAP)
    if block:
        first = -(-block // mmap.PAGESIZE) * mmap.PAGESIZE
        libc.madvise(first, block + _HEAP - first, getattr(mmap, "MADV_HUGEPAGE", 14))  # a kernel without them refuses
        libc.free(block)
