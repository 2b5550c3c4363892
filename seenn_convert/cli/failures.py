"""What the command line says about an exception that nobody meant to raise: one sentence, and an exit code."""

import os
import platform
import re
import shlex
import sys
import sysconfig
import traceback
import unicodedata
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import CodeType

import click

from seenn_convert import __version__
from seenn_convert.errors import reason_of

DEBUG_OPTION, DEBUG_VARIABLE = "--debug", "SEENN_DEBUG"
THEIRS, DEFECT = 1, 3
"""Exit codes: the user's machine or code, and a defect of the compiler."""

PACKAGE = Path(__file__).parents[1]
_INSTALLED = {"site-packages", "dist-packages"}
_STANDARD_LIBRARY = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
_NO_MEMORY = re.compile(r"not enough memory|out of memory|can.?t allocate|cannot allocate|bad alloc", re.IGNORECASE)

debug_option = click.Option(
    [DEBUG_OPTION],
    is_flag=True,
    expose_value=False,
    help=f"Show the traceback of an error; so does {DEBUG_VARIABLE}=1.",
)
"""An option of the group and of every command; ``main`` looks for it, so it has no value."""


def wants_traceback(arguments: Sequence[str]) -> bool:
    """Return whether the command line or the environment asks for tracebacks."""
    return DEBUG_OPTION in arguments or os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0")


def failure(error: Exception, arguments: Sequence[str]) -> tuple[str, int]:
    """Return a sentence about ``error`` and the exit code; ``arguments`` are those of the command line."""
    what, line = f"{type(error).__name__}: {reason_of(error)}", _last_line(error)
    if _is_lack_of_memory(error):
        smaller = "give a smaller --batch-size, fewer or smaller images, or use a machine with more memory"
        return f"there is too little memory ({reason_of(error)}); {smaller}", THEIRS
    if isinstance(error, ImportError) and not (error.name or "").startswith(__package__.partition(".")[0]):
        return f"a library cannot be imported ({reason_of(error)}); install seenn_convert again with pip", THEIRS
    if line is not None and not _is_below(line[0], str(PACKAGE)):
        return f"{_place(*line)} raises {what}; this is code of yours, not of seenn_convert: mend it there", THEIRS
    return f"unexpected {what}{'' if line is None else f', in {_place(*line)}'}; {report_words(arguments)}", DEFECT


def report_words(arguments: Sequence[str]) -> str:
    """Return that this is a defect, and what to report with it."""
    return (
        "this is a defect of seenn_convert, not of your input: please report it (CONTRIBUTING.md says where) with this "
        f"line, `{shlex.join(['seenn-convert', *arguments])}`, and seenn_convert {__version__}, "
        f"torch {_version('torch')}, Python {platform.python_version()}; {DEBUG_OPTION} shows the traceback"
    )


def escaped(text: str) -> str:
    """Return a message with the control characters escaped that a file's name may bring into it."""
    shown = (one if one == "\n" or unicodedata.category(one) != "Cc" else repr(one)[1:-1] for one in text)
    return "".join(shown)


def show_traceback(error: BaseException) -> None:
    """Print the traceback of ``error``."""
    click.echo("".join(traceback.format_exception(error)), err=True, nl=False)


def _is_lack_of_memory(error: Exception) -> bool:
    known = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"  # torch's, not imported here
    return known or (isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error)) is not None)


def _last_line(error: Exception) -> tuple[str, int, str] | None:
    """Return file, line and function of the innermost call that is in no library: ours, or the user's own."""
    found = [(frame.f_code, number) for frame, number in traceback.walk_tb(error.__traceback__)]
    own = [(code, number) for code, number in found if _is_ours(code) or not _is_of_a_library(code)]
    return None if not own else (own[-1][0].co_filename, own[-1][1], own[-1][0].co_name)


def _is_ours(code: CodeType) -> bool:
    return _is_below(code.co_filename, str(PACKAGE))


def _is_of_a_library(code: CodeType) -> bool:
    """Return whether code belongs to an installed library, or has no file, as what a library generates."""
    name = code.co_filename
    installed = bool(_INSTALLED & set(Path(name).parts)) or any(_is_below(name, one) for one in _STANDARD_LIBRARY)
    return installed or not Path(name).is_file()


def _is_below(name: str, folder: str) -> bool:
    return os.path.abspath(name).startswith(folder + os.sep)


def _place(name: str, number: int, function: str) -> str:
    path = Path(os.path.abspath(name))
    shown = path.relative_to(PACKAGE.parent) if path.is_relative_to(PACKAGE) else path
    return f"{shown.as_posix()}:{number} ({function})"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def printable_streams() -> None:
    """Let what a terminal cannot show be printed escaped instead of failing, such as a file name that is no text."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
