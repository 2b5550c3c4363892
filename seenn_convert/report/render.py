"""Pages and plots as text, from templates; whatever comes from outside is escaped."""

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from seenn_convert.artifact.schema.comparison import Comparison
from seenn_convert.artifact.schema.report import Report
from seenn_convert.report.comparison_view import comparison_view
from seenn_convert.report.narrative.certificate import evidence, outcome, promise
from seenn_convert.report.narrative.diagnosis import diagnosis_words
from seenn_convert.report.numbers import number, percent, plural
from seenn_convert.report.plots.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from seenn_convert.report.plots.labels import placed_labels
from seenn_convert.report.plots.plot import Plot
from seenn_convert.report.report_view import report_view


def report_page(report: Report) -> str:
    """Return the page of a report; without an evaluation it shows the conversion."""
    return _page("report.html.j2", report=report, view=report_view(report))


def comparison_page(comparison: Comparison) -> str:
    """Return the page of a comparison."""
    return _page("comparison.html.j2", comparison=comparison, view=comparison_view(comparison))


def plot_svg(plot: Plot) -> str:
    """Return a plot as a picture that needs no page, dark on white."""
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", _file("page.css").partition("}")[0])) | {"paper": "#ffffff"}
    style = re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], _file("plot.css"))
    return _templates().get_template("plot.svg.j2").render(plot=plot, style=style)


def _page(template: str, **values: Any) -> str:
    """Return a page with its style sheet and its script, the only one that its policy lets run."""
    script = _file("page.js")
    return _templates().get_template(template).render(
        values,
        css=_file("page.css") + _file("plot.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style="",
    )  # fmt: skip


def _file(name: str) -> str:
    return resources.files("seenn_convert.report").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("seenn_convert.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = (evidence, outcome, promise, diagnosis_words, number, percent, plural)
    environment.filters |= {function.__name__: function for function in words}
    environment.filters |= {"labels": placed_labels, "px": lambda value: f"{value:.1f}"}
    environment.globals |= {
        "width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM,
    }  # fmt: skip
    return environment
