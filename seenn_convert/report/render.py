"""Pages and plots as text, from templates; whatever comes from outside is escaped."""

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from seenn_convert.artifact.schema.comparison import Comparison
from seenn_convert.artifact.schema.report import Report
from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.measure.speed import Speed
from seenn_convert.report import comparison as comparing
from seenn_convert.report import examples, exploration, headline, layers, numbers, speed, tables
from seenn_convert.report.narrative import certificate, depthwise, diagnosis, exits, finetuning, front, timing, verdicts
from seenn_convert.report.narrative import exploration as exploring
from seenn_convert.report.narrative.speed import speed_words
from seenn_convert.report.plots.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from seenn_convert.report.plots.comparison import comparison_plots, reliability_timestep
from seenn_convert.report.plots.evaluation import report_plots
from seenn_convert.report.plots.labels import placed_labels
from seenn_convert.report.plots.plot import Plot
from seenn_convert.report.plots.speed import speed_plots

FILTERS = (
    certificate.evidence, certificate.outcome, certificate.promise, comparing.auroc_table, comparing.comparison_tiles,
    comparing.lost_table, comparing.reliability_table, comparing.time_table, comparison_plots,
    depthwise.depthwise_words, diagnosis.diagnosis_words, examples.class_name, examples.is_small,
    exits.calibration_words, exits.exit_rule, exits.exit_words, exits.held_out_words, exits.policy_head_words,
    exits.spike_words, exits.target_words, exploration.frontier_table, exploration.other_settings_table,
    exploring.kept_words, exploring.tried_words, finetuning.finetuning_words, finetuning.gained_words,
    front.front_words, front.spiking_words, headline.tiles,
    layers.activity_table, layers.error_table, numbers.number, numbers.percent, numbers.plural, numbers.significant,
    placed_labels, reliability_timestep, report_plots, speed.answers_table, speed.latency_table, speed.times_table,
    speed_plots, speed_words, tables.cost_table, tables.exit_table, tables.front_table,
    tables.operator_table, tables.pass_table, timing.timing_words, verdicts.measured_words, verdicts.shown_words,
    verdicts.verdicts,
)  # fmt: skip
"""What the templates call: each makes a sentence, a table or a plot of a typed value."""


def report_page(report: Report) -> str:
    """Return the page of a report; without an evaluation it shows the conversion."""
    cautions = [caution for part in (report.conversion, report.evaluation) if part for caution in part.warnings]
    return _page("report.html.j2", report.model.name if report.model else None, cautions, report=report)


def comparison_page(comparison: Comparison) -> str:
    """Return the page of a comparison."""
    return _page("comparison.html.j2", comparison.model, comparison.warnings, comparison=comparison)


def speed_page(found: Speed) -> str:
    """Return the page of what ``bench`` measured."""
    return _page("speed.html.j2", found.network, (), speed=found)


def plot_svg(plot: Plot) -> str:
    """Return a plot as a picture that needs no page, dark on white."""
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", _file("page.css").partition("}")[0])) | {"paper": "#ffffff"}
    style = re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], _file("plot.css"))
    return _templates().get_template("plot.svg.j2").render(plot=plot, style=style)


def _page(template: str, name: str | None, warnings: Sequence[Caution], **values: Any) -> str:
    """Return a page with its style sheet and its script, the only one that its policy lets run."""
    script = _file("page.js")
    return _templates().get_template(template).render(
        values,
        name=name or numbers.MISSING,
        warnings=warnings,
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
    environment.filters |= {function.__name__: function for function in FILTERS}
    environment.filters["px"] = lambda value: f"{value:.1f}"
    environment.globals |= {
        "width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM,
        "counted": certificate.COUNTED,
    }  # fmt: skip
    return environment
