"""Write the plots of a report or a comparison as files for a paper."""

from pathlib import Path

from seenn_convert.artifact.files import written_to
from seenn_convert.artifact.schema.comparison import Comparison
from seenn_convert.artifact.schema.report import Report
from seenn_convert.report.comparison_view import comparison_view
from seenn_convert.report.render import plot_svg
from seenn_convert.report.report_view import report_view

INSTALL = "pip install 'seenn_convert[figures]'"
"""What also brings PDF and PNG."""

PNG_SCALE = 3.0


def write_figures(report: Report | Comparison, folder: Path) -> list[Path]:
    """Write each plot as SVG, and as PDF and PNG if the extra ``figures`` is installed; return the files.

    Args:
        report: What to draw.
        folder: Made if it is not there; files of the same name are replaced.

    Raises:
        InputError: The folder cannot be written.
    """
    view = report_view(report) if isinstance(report, Report) else comparison_view(report)
    files = {}
    for plot in view.plots:
        svg = plot_svg(plot)
        files |= {f"{plot.name}.{kind}": data for kind, data in {"svg": svg.encode(), **_converted(svg)}.items()}
    with written_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
    return [folder / name for name in files]


def can_convert() -> bool:
    """Return whether PDF and PNG are written, too."""
    try:
        import vl_convert  # noqa: F401
    except ImportError:
        return False
    return True


def _converted(svg: str) -> dict[str, bytes]:
    if not can_convert():
        return {}
    import vl_convert

    return {"pdf": vl_convert.svg_to_pdf(svg), "png": vl_convert.svg_to_png(svg, scale=PNG_SCALE)}
