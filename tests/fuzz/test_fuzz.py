"""Mutated input of every kind is used, or refused with an error of our tree, within 10 s and 2 GB."""

import os
from pathlib import Path

import pytest

from fuzz.harness import run_trials
from fuzz.parts import PARTS

SECONDS = 60
"""For all parts together, from when each could start."""

SEED = 16


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_mutated_input_is_used_or_refused(part: str, tmp_path: Path) -> None:
    keep = Path(os.environ.get("FUZZ_KEEP", tmp_path))
    done, failures = run_trials(part, SEED, SECONDS / len(PARTS), keep)
    assert done > 0
    assert not failures, "\n".join(map(str, failures))
