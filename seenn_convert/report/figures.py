"""Write the plots of a report or a comparison as files for a paper."""

from collections.abc import Sequence
from pathlib import Path

from seenn_convert.artifact.files import check_makeable, made_folder, written_to
from seenn_convert.artifact.schema.comparison import Comparison
from seenn_convert.artifact.schema.evaluation import Evaluation
from seenn_convert.artifact.schema.report import Report
from seenn_convert.report.numbers import plural
from seenn_convert.report.plots.comparison import comparison_plots
from seenn_convert.report.plots.evaluation import report_plots
from seenn_convert.report.render import plot_svg

INSTALL = "pip install 'seenn_convert[figures]'"
"""What also brings PDF and PNG."""

PNG_SCALE = 3.0


def check_figures(folder: Path) -> None:
    """Raise InputError if ``folder`` could not be made or written: said before the work, not after it."""
    check_makeable(folder, ())


def write_figures(report: Report | Evaluation | Comparison, folder: Path | str) -> list[Path]:
    """Write each plot as SVG, and as PDF and PNG if the extra ``figures`` is installed; return the files.

    The folder is made if it is not there; files of the same name are replaced.

    Raises:
        InputError: The folder cannot be written.
    """
    folder = Path(folder)
    report = Report(evaluation=report) if isinstance(report, Evaluation) else report
    plots = report_plots(report) if isinstance(report, Report) else comparison_plots(report)
    files: dict[str, bytes] = {}
    for plot in plots.values():
        svg = plot_svg(plot)
        files[f"{plot.name}.svg"] = svg.encode()
        files |= {f"{plot.name}.{kind}": data for kind, data in _converted(svg).items()}
    check_figures(folder)
    with written_to(folder), made_folder(folder):
        for name, data in files.items():
            (folder / name).write_bytes(data)
    return [folder / name for name in files]


def figures_words(folder: Path, files: Sequence[Path]) -> str:
    """Return what was written, and how to get the kinds of file that are missing."""
    more = "" if any(file.suffix == ".pdf" for file in files) else f"; for PDF and PNG: {INSTALL}"
    return f"wrote {plural(len(files), 'figure', 'figures')} to {folder}{more}"


def _converted(svg: str) -> dict[str, bytes]:
    """Return the picture as PDF and PNG, nothing without the extra."""
    try:
        import vl_convert
    except ImportError:
        return {}
    return {"pdf": vl_convert.svg_to_pdf(svg), "png": vl_convert.svg_to_png(svg, scale=PNG_SCALE)}
