"""Run trials in a process of their own, so that a crash, a hang or a flood of memory is caught and has a name."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
SECONDS, MEMORY = 10.0, 2 << 30
"""Processor time of one trial, and bytes that it may add to the process."""

HANGS = 90.0
"""Seconds after which a trial that has not come back is stopped; on a busy machine more than it computes."""


@dataclass(frozen=True)
class Failure:
    """One trial that broke the law."""

    part: str
    seed: int
    index: int
    what: str
    problem: str

    def __str__(self) -> str:
        """Say what happened and how to have it again."""
        again = f"python -m fuzz --part {self.part} --seed {self.seed} --trial {self.index}"
        return f"{self.part}, {self.what}: {self.problem}\n  again, in tests/: {again}"


def run_trials(
    part: str, seed: int, seconds: float, keep: Path | None = None, first: int = 0, last: int | None = None,
    limit: float = SECONDS,
) -> tuple[int, list[Failure]]:  # fmt: skip
    """Run the trials of ``part`` for about ``seconds``; return how many there were and those that failed.

    Args:
        part: A module of this package.
        seed: Of the trials.
        seconds: From when the first trial can start; the last one may take longer.
        keep: Folder that gets the input of failed trials.
        first: Number of the first trial.
        last: Number of the last one.
        limit: Processor time that a trial may take, in seconds.
    """
    done, failures, until = 0, list[Failure](), None
    with tempfile.TemporaryDirectory() as scratch:
        while True:
            worker = _Worker(part, seed, first, limit, Path(scratch))
            until = until or time.monotonic() + seconds
            for index, what, problem in worker.results():
                done, first = done + 1, index + 1
                if problem is not None:
                    failures.append(Failure(part, seed, index, what, problem))
                    _keep(keep, failures[-1], Path(scratch) / str(index))
                shutil.rmtree(Path(scratch) / str(index), ignore_errors=True)
                if time.monotonic() > until or (last is not None and first > last):
                    worker.stop()
                    return done, failures
            if worker.finished:
                return done, failures


class _Worker:
    """The process that runs trials one after the other, and says before and after each which it is."""

    def __init__(self, part: str, seed: int, first: int, limit: float, scratch: Path) -> None:
        command = [sys.executable, "-m", "fuzz.worker", part, str(seed), str(first), str(limit), str(scratch)]
        paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=scratch)
        self.finished = False
        if self._line(HANGS) != {"ready": True}:
            raise RuntimeError(f"the process for {part} did not start (exit code {self.process.wait()})")

    def results(self) -> Iterator[tuple[int, str, str | None]]:
        """Yield number, description and problem of each trial; ends where the process does."""
        while (begun := self._line(HANGS)) is not None and not begun.get("finished"):
            ended = self._line(HANGS)
            problem = ended["problem"] if ended is not None else self._end()
            yield begun["index"], begun["what"], problem
            if ended is None:
                return
        self.finished = True
        self.stop()

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()

    def _end(self) -> str:
        """Return how the process ended, which is killed if it hangs."""
        try:
            code = self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.stop()
            return f"no end after {HANGS:.0f} s"
        return f"the process died: {signal.Signals(-code).name if code < 0 else f'exit code {code}'}"

    def _line(self, seconds: float) -> dict[str, Any] | None:
        """Return the next line; None where the process has ended, or says nothing for so long."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return None
        line = self.process.stdout.readline()
        return json.loads(line) if line.endswith(b"\n") else None


def _keep(keep: Path | None, failure: Failure, folder: Path) -> None:
    if keep is None:
        return
    place = keep / f"{failure.part}-{failure.seed}-{failure.index}"
    shutil.rmtree(place, ignore_errors=True)
    if folder.is_dir():
        shutil.copytree(folder, place, symlinks=True, ignore_dangling_symlinks=True, ignore=_not_regular)
    place.mkdir(parents=True, exist_ok=True)
    (place / "failure.txt").write_text(str(failure), encoding="utf-8")


def _not_regular(folder: str, names: list[str]) -> list[str]:
    """Return the names of pipes and devices, which cannot be copied."""
    return [name for name in names if not any(getattr(Path(folder, name), ask)() for ask in ("is_file", "is_dir"))]
