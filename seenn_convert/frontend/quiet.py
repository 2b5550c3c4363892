"""Silence log output of libraries for errors that this package reports itself."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr


@contextmanager
def quiet() -> Iterator[None]:
    """Let nothing be logged inside the block; afterwards all loggers are as they were.

    ``torch.export`` logs tracebacks and prints whole graphs beside the exception it raises. Its loggers have handlers
    of their own, so that only the switch for all of them reaches every one.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)
