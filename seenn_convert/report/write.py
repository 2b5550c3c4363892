"""Write the report of an evaluation beside the artifact: ``report.json`` for programs, ``report.html`` for people."""

from dataclasses import replace
from pathlib import Path

from seenn_convert.artifact.artifact import REPORT, Artifact
from seenn_convert.artifact.files import json_text, made_folder, write_texts, written_to
from seenn_convert.artifact.provenance import environment
from seenn_convert.artifact.schema.comparison import Comparison
from seenn_convert.artifact.schema.evaluation import Evaluation
from seenn_convert.report.render import comparison_page, report_page

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


def _write(folder: Path, names: tuple[str, str], *texts: str) -> Path:
    with written_to(folder), made_folder(folder):
        write_texts(folder, dict(zip(names, texts, strict=True)))
    return folder / names[-1]
