"""The harness sees every kind of failure, names it, and goes on behind it."""

from pathlib import Path

import pytest

from fuzz.harness import run_trials

pytestmark = pytest.mark.slow  # `make test` runs it, `make check` does not


def test_every_kind_of_failure_is_named(tmp_path: Path) -> None:
    done, failures = run_trials("faulty", seed=7, seconds=300, keep=tmp_path, limit=0.8)
    problems = {failure.what: failure.problem for failure in failures}
    assert done == 6
    assert set(problems) == {"crash", "error", "memory", "time"}
    assert problems["crash"] == "the process died: SIGSEGV"
    assert "KeyError: 'lost'" in problems["error"]
    assert "GB" in problems["memory"] or "MemoryError" in problems["memory"]
    assert problems["time"].startswith("took ")
    assert "--part faulty --seed 7 --trial 1" in str(failures[0])


def test_the_input_of_a_failure_is_kept(tmp_path: Path) -> None:
    run_trials("faulty", seed=7, seconds=300, keep=tmp_path, first=1, last=1)
    kept = tmp_path / "faulty-7-1"
    assert (kept / "input").read_text() == "odd"
    assert "SIGSEGV" in (kept / "failure.txt").read_text()


def test_time_ends_a_run() -> None:
    done, _ = run_trials("faulty", seed=7, seconds=0)
    assert done == 1
