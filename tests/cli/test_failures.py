"""An exception that nobody meant to raise leaves the command line as one sentence with an exit code, through the real entry point."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from seenn_convert import __version__
from seenn_convert.cli.failures import escaped, failure, wants_traceback
from seenn_convert.cli.main import cli

pytestmark = pytest.mark.slow  # `make test` runs it, `make check` does not

PROGRAM = """
import sys
from pathlib import Path
import seenn_convert.artifact.artifact as artifact

def breaks(path):
    {0}
artifact.is_artifact = breaks
from seenn_convert.cli.main import main
main(sys.argv[1:])
"""


def inspect(folder: Path, body: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run ``inspect`` in a process of its own, with a function that breaks; return exit code and standard error."""
    code = PROGRAM.format(body)
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    done = subprocess.run([sys.executable, "-c", code, "inspect", "model.onnx", *arguments], capture_output=True,
                          text=True, env={**os.environ, "PYTHONPATH": path, **environment})  # fmt: skip
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize(("body", "code", "said"), [
    ("{}['x']", 3, ["unexpected KeyError: 'x', in seenn_convert/cli/inspect.py:", "defect of seenn_convert", __version__, "`seenn-convert inspect model.onnx`"]),
    ("breaks(path)", 3, ["unexpected RecursionError: maximum recursion depth"]),
    ("raise RuntimeError('expected all tensors\\nmore')", 3, ["unexpected RuntimeError: expected all tensors, in"]),
    ("raise MemoryError", 1, ["there is too little memory (MemoryError)", "--batch-size"]),
    ("raise RuntimeError('[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 99 bytes')", 1, ["too little memory", "--batch-size"]),
    ("import torch; raise torch.OutOfMemoryError('CUDA out of memory.')", 1, ["too little memory (CUDA out of memory.)"]),
    ("import nothing_of_the_kind", 1, ["No module named 'nothing_of_the_kind'", "install seenn_convert again"]),
    ("raise FileNotFoundError(2, 'No such file', 'here')", 1, ["here: No such file"]),
    ("import mine; mine.rule()", 1, ["mine.py:2 (rule) raises ZeroDivisionError: division by zero", "code of yours"]),
    ("import mine; mine.shape()", 1, ["mine.py:5 (shape) raises RuntimeError", "code of yours"]),
])  # fmt: skip
def test_one_sentence_and_an_exit_code(tmp_path: Path, body: str, code: int, said: list[str]) -> None:
    (tmp_path / "mine.py").write_text(
        "def rule():\n    return 1 / 0\ndef shape():\n    import torch\n    return torch.zeros(2) @ torch.zeros(3)\n"
    )
    found, error = inspect(tmp_path, body)
    assert found == code, error
    assert error.startswith("error: ") and len(error.splitlines()) == 1, error
    for words in said:
        assert words in error


@pytest.mark.parametrize(("arguments", "environment"), [(["--debug"], {}), ([], {"SEENN_DEBUG": "1"})])
def test_the_traceback_is_shown_on_request(tmp_path: Path, arguments: list[str], environment: dict[str, str]) -> None:
    code, error = inspect(tmp_path, "{}['x']", *arguments, **environment)
    assert code == 3
    assert error.startswith("Traceback") and error.splitlines()[-1].startswith("error: unexpected KeyError")


def test_an_error_of_ours_has_its_traceback_on_request_and_its_exit_code(tmp_path: Path) -> None:
    code, error = inspect(tmp_path, "from seenn_convert.errors import InputError; raise InputError('no')", "--debug")
    assert code == 1 and error.startswith("Traceback") and error.splitlines()[-1] == "error: no"


def test_every_command_takes_the_option_and_its_help_lists_it() -> None:
    for name in [None, *cli.commands]:
        told = CliRunner().invoke(cli, [*([] if name is None else [name]), "--help"])
        assert told.exit_code == 0 and "--debug" in told.output, name


def test_nothing_asks_for_a_traceback_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEENN_DEBUG", "0")
    assert not wants_traceback(["convert"])
    monkeypatch.delenv("SEENN_DEBUG")
    assert not wants_traceback([])


def test_a_sentence_stays_short_however_long_the_reason() -> None:
    assert len(failure(ValueError("x" * 10_000), ["inspect"])[0]) < 1000


def test_control_characters_of_a_file_name_do_not_reach_the_terminal(tmp_path: Path) -> None:
    """A name may hold an escape sequence; the line breaks of a message stay."""
    assert escaped("a\nb \x1b[31m é\udcff") == "a\nb \\x1b[31m é\udcff"


def test_a_factory_that_runs_out_of_words_is_told_by_its_kind(tmp_path: Path) -> None:
    """An exception without a text, such as MemoryError, is named by its class."""
    (tmp_path / "mine_without_words.py").write_text("def make():\n    raise MemoryError\n")
    code = "import sys; from seenn_convert.cli.main import main; main(sys.argv[1:])"
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    done = subprocess.run([sys.executable, "-c", code, "inspect", "mine_without_words:make", "--input-shape", "1,4,4"],
                          capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})  # fmt: skip
    assert done.returncode == 1 and "failed (MemoryError)" in done.stderr
