"""Write the report of an evaluation beside the artifact: ``report.json`` for programs, ``report.html`` for people."""

import tempfile
from dataclasses import replace
from pathlib import Path

from seenn_convert.artifact.artifact import REPORT, Artifact
from seenn_convert.artifact.files import check_no_folders, json_text, write_texts, written_to
from seenn_convert.artifact.provenance import environment
from seenn_convert.artifact.schema.comparison import Comparison
from seenn_convert.artifact.schema.evaluation import Evaluation
from seenn_convert.errors import InputError
from seenn_convert.report.render import comparison_page, report_page

PAGE = "report.html"
COMPARISON, COMPARISON_PAGE = "comparison.json", "comparison.html"


def check_report(folder: Path) -> None:
    """Raise InputError where ``write_report`` could not write into ``folder``: said before the work, not after it."""
    check_no_folders(folder, (REPORT, PAGE))
    with written_to(folder), tempfile.TemporaryFile(dir=folder):
        pass


def write_report(folder: Path, artifact: Artifact, evaluation: Evaluation | None) -> Path:
    """Write both files, or none, into the artifact's folder and return the path of the page.

    Raises:
        InputError: The folder cannot be written.
    """
    report = replace(artifact.report, evaluation=evaluation, environment=environment())
    with written_to(folder):
        write_texts(folder, {REPORT: json_text(report), PAGE: report_page(report)})
    return folder / PAGE


def check_comparison(folder: Path) -> None:
    """Raise InputError where ``write_comparison`` could not write into ``folder``."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder to write into; make it first")
    check_no_folders(folder, (COMPARISON, COMPARISON_PAGE))
    with written_to(folder), tempfile.TemporaryFile(dir=folder):
        pass


def write_comparison(folder: Path, comparison: Comparison) -> Path:
    """Write a comparison as ``comparison.json`` and as a page, or neither, and return the path of the page.

    Raises:
        InputError: The folder cannot be written.
    """
    with written_to(folder):
        write_texts(folder, {COMPARISON: json_text(comparison), COMPARISON_PAGE: comparison_page(comparison)})
    return folder / COMPARISON_PAGE
