"""Ctrl-C is an exception, except where something is imported: there the process ends at once, with its exit code."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from seenn_convert.cli.interrupt import INTERRUPTED, MESSAGE, leaving_at_once_from_imports

IMPORTING = """
from seenn_convert.cli.interrupt import leaving_at_once_from_imports
with leaving_at_once_from_imports():
    import half_imported
print("not reached")
"""


@pytest.mark.usefixtures("interruptible")
def test_an_import_is_left_at_once(tmp_path: Path) -> None:
    (tmp_path / "half_imported.py").write_text(
        "import signal\ntry:\n    signal.raise_signal(signal.SIGINT)\nexcept BaseException:\n    raise SystemError\n"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    done = subprocess.run([sys.executable, "-c", IMPORTING], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": path})  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, "", MESSAGE + "\n")


@pytest.mark.usefixtures("interruptible")
def test_elsewhere_it_is_an_exception_and_the_handler_comes_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), leaving_at_once_from_imports():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_an_ignored_interrupt_stays_ignored() -> None:
    """A job started in the background leaves Ctrl-C to the one in the foreground."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with leaving_at_once_from_imports():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
