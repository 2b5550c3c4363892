"""What Ctrl-C does: an exception as usual, but while something is imported the process ends at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
MESSAGE = "error: interrupted; nothing was left half-written"


@contextmanager
def leaving_at_once_from_imports() -> Iterator[None]:
    """Handle interrupts inside the block.

    The native code of a library that is half imported does not survive an exception: it aborts the process, or breaks
    while the interpreter shuts down. While something is imported nothing is being written, so leaving is safe.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield  # somebody else decides about interrupts
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _is_importing(frame):
        os.write(2, f"{MESSAGE}\n".encode())
        os._exit(INTERRUPTED)
    raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
