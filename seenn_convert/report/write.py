"""Write the report of an evaluation beside the artifact: ``report.json`` for programs, ``report.html`` for people."""

from dataclasses import replace
from pathlib import Path

from seenn_convert.artifact.artifact import REPORT, Artifact
from seenn_convert.artifact.files import check_makeable, json_text, made_folder, write_texts, written_to
from seenn_convert.artifact.provenance import environment
from seenn_convert.artifact.schema.comparison import Comparison
from seenn_convert.artifact.schema.evaluation import Evaluation
from seenn_convert.errors import InputError
from seenn_convert.measure.speed import Speed
from seenn_convert.report.render import comparison_page, report_page, speed_page

PAGE = "report.html"
REPORT_FILES = REPORT, PAGE
COMPARISON_FILES = "comparison.json", "comparison.html"


def write_report(folder: Path | str, artifact: Artifact, evaluation: Evaluation | None) -> Path:
    """Write both files, or none, into the artifact's folder and return the path of the page.

    Raises:
        InputError: The folder cannot be written.
    """
    report = replace(artifact.report, evaluation=evaluation, environment=environment())
    return _write(Path(folder), REPORT_FILES, json_text(report), report_page(report))


def write_comparison(folder: Path | str, comparison: Comparison) -> Path:
    """Write a comparison as ``comparison.json`` and as a page, or neither, and return the path of the page.

    The folder is made if it is not there.

    Raises:
        InputError: The folder cannot be written.
    """
    return _write(Path(folder), COMPARISON_FILES, json_text(comparison), comparison_page(comparison))


def write_speed(file: Path | str, speed: Speed) -> Path:
    """Write what ``bench`` measured as ``file`` and as a page of the same name beside it, and return the page's path.

    Raises:
        InputError: The folder cannot be written, or ``file`` does not end in ``.json``.
    """
    names = _speed_files(Path(file))
    return _write(Path(file).parent, names, json_text(speed), speed_page(speed))


def check_speed_file(file: Path | str) -> None:
    """Raise InputError unless ``write_speed`` can write ``file``."""
    check_makeable(Path(file).parent, _speed_files(Path(file)))


def _speed_files(file: Path) -> tuple[str, str]:
    if file.suffix != ".json":
        raise InputError(f"{file}: what is measured is written as JSON; name a file that ends in .json")
    return file.name, f"{file.stem}.html"


def _write(folder: Path, names: tuple[str, str], *texts: str) -> Path:
    with written_to(folder), made_folder(folder):
        write_texts(folder, dict(zip(names, texts, strict=True)))
    return folder / names[-1]
