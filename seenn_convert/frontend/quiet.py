"""Keep libraries from logging what this package says in a sentence of its own."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Let nothing be logged inside the block; afterwards all loggers are as they were.

    ``torch.export`` logs tracebacks and whole graphs beside the exception it raises, through loggers with handlers of
    their own, so that only the switch for all of them reaches every one.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
