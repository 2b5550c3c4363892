"""The process of the harness: ``python -m fuzz.worker PART SEED FIRST LIMIT SCRATCH`` runs trials and reports each."""

import importlib
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TextIO

from fuzz.harness import MEMORY

MOST = 5 * MEMORY
"""Bytes beyond what is there at the start at which memory is refused, so that the machine goes on."""


def main(part: str, seed: int, first: int, limit: float, scratch: Path) -> None:
    """Run the trials from number ``first`` on, for as long as somebody reads."""
    reports = _alone()
    trials = importlib.import_module(f"fuzz.{part}").trials(seed)
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + MOST, resource.RLIM_INFINITY))
    _say(reports, ready=True)
    for index, (what, attempt) in enumerate(islice(trials, first, None), first):
        _say(reports, index=index, what=what)
        folder = scratch / str(index)
        folder.mkdir()
        os.chdir(folder)
        _say(reports, problem=_problem(attempt, folder, limit))
    _say(reports, finished=True)


def _problem(attempt: Callable[[Path], None], folder: Path, limit: float) -> str | None:
    """Return how a trial broke the law, None where it kept it."""
    from seenn_convert.errors import SeennConvertError

    _forget_peak()
    before, start = _status("VmRSS"), time.process_time()
    try:
        attempt(folder)
    except SeennConvertError:
        pass
    except BaseException:  # whatever it is, it is reported
        return "an error that is not of our tree\n" + "".join(traceback.format_exc().splitlines(keepends=True)[-16:])
    seconds, memory = time.process_time() - start, _status("VmHWM") - before
    if memory > MEMORY:
        return f"took {memory / 2**30:.1f} GB"
    return f"took {seconds:.1f} s" if seconds > limit else None


def _alone() -> TextIO:
    """Return where reports go, with the output of everything else thrown away."""
    reports = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    return reports


def _say(reports: TextIO, **said: object) -> None:
    print(json.dumps(said), file=reports, flush=True)


def _status(name: str) -> int:
    """Return an entry of the memory of this process, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) << 10


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), Path(sys.argv[5]))
