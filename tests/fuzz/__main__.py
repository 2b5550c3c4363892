"""``python -m fuzz`` in ``tests/``: fuzz for as long as wanted, or one trial again."""

import argparse
import importlib
import random
import sys
import tempfile
import time
import traceback
from itertools import islice
from pathlib import Path

from fuzz.harness import run_trials
from fuzz.parts import PARTS

ROUND = 60.0
"""Seconds that a part has before the next one begins."""


def main() -> int:
    """Return the number of failures, at most 1."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="how long [60]")
    parser.add_argument("--part", choices=PARTS, help="one part only [all in turn]")
    parser.add_argument("--seed", type=int, help="of the first round [random]")
    parser.add_argument("--trial", type=int, help="this trial only, in this process, with its traceback")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="input of failures [build/fuzz]")
    given = parser.parse_args()
    seed = random.randrange(2**31) if given.seed is None else given.seed
    if given.trial is not None:
        return _once(given.part or PARTS[0], seed, given.trial)
    until, failed, seen = time.monotonic() + 60 * given.minutes, 0, set[str]()
    while time.monotonic() < until:
        for part in (given.part,) if given.part else PARTS:
            seconds = min(ROUND, until - time.monotonic())
            done, failures = run_trials(part, seed, max(seconds, 0), given.keep.absolute())
            print(f"{part}: {done} trials of seed {seed}, {len(failures)} failures", flush=True)
            for failure in failures:
                known = f"{part}: {failure.problem.strip().splitlines()[-1]}"
                print(f"  trial {failure.index}: as before" if known in seen else failure, flush=True)
                seen.add(known)
            failed += len(failures)
        seed += 1
    return min(failed, 1)


def _once(part: str, seed: int, index: int) -> int:
    what, attempt = next(islice(importlib.import_module(f"fuzz.{part}").trials(seed), index, None))
    folder = Path(tempfile.mkdtemp())
    print(f"{what}\nin {folder}")
    try:
        attempt(folder)
    except BaseException:  # shown as it is
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
