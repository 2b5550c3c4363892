"""Write the report of an evaluation beside the artifact: ``report.json`` for programs, ``report.html`` for people."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seenn_convert.export.artifact import REPORT, Artifact
from seenn_convert.export.files import write_json, write_text
from seenn_convert.report.conversion import environment
from seenn_convert.report.html import render_html

PAGE = "report.html"


def write_report(folder: Path, artifact: Artifact, evaluation: Mapping[str, Any] | None) -> Path:
    """Write both files into the artifact's folder and return the path of the page."""
    report = {**artifact.report, "evaluation": evaluation, "environment": environment()}
    write_json(folder / REPORT, report)
    write_text(folder / PAGE, render_html(report))
    return folder / PAGE
