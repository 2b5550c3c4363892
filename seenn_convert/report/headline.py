"""The big numbers at the top of a report."""

from seenn_convert.artifact.schema.conversion import Conversion
from seenn_convert.artifact.schema.evaluation import Evaluation
from seenn_convert.artifact.schema.front import FrontFacts
from seenn_convert.artifact.schema.report import Report
from seenn_convert.artifact.schema.shared import REFERENCE_WORDS
from seenn_convert.report.numbers import MISSING, number, percent, ratio, significant
from seenn_convert.report.parts import Tile


def tiles(report: Report) -> tuple[Tile, ...]:
    """Return what was measured on unseen data, before that what the calibration images say."""
    if report.evaluation is not None:
        return _measured(report.evaluation)
    return () if report.conversion is None else _expected(report.conversion)


def _measured(evaluation: Evaluation) -> tuple[Tile, ...]:
    early, lost = evaluation.early_exit, round(evaluation.points_lost, 1)
    low, high = early.interval95
    time, joule = evaluation.milliseconds_per_image, evaluation.energy.nanojoule_per_image
    has_ann = evaluation.reference == "ann"
    first = ("ANN accuracy", "the model before conversion") if has_ann else ("Full-run accuracy", "all timesteps")
    others = "the ANN\u2019s" if has_ann else "that of all timesteps"
    return (
        Tile(first[0], percent(evaluation.reference_accuracy), first[1]),
        Tile("Early-exit accuracy", percent(early.accuracy), f"95\u00a0% interval {100 * low:.1f} to {100 * high:.1f}"),
        Tile(
            "Points gained" if lost < 0 else "Points lost",
            number(abs(lost), 1),
            f"against {REFERENCE_WORDS[evaluation.reference]}",
        ),
        Tile("Average timesteps", number(early.average_timesteps, 2), f"of {max(evaluation.accuracy_at)}"),
        Tile("Energy", _times(joule.early_exit, joule.reference), f"{others}, estimated from operation counts"),
        Tile("Time", _times(time.early_exit, time.reference), f"{others}, measured on this machine"),
    )


def _expected(conversion: Conversion) -> tuple[Tile, ...]:
    held_out = conversion.exit.held_out
    data = conversion.calibration
    on = f"on {number(data.exits.held_out_images)} {data.exits_from} images, held out"
    reference = conversion.reference
    accuracies = (
        Tile("ANN accuracy" if reference == "ann" else "Full-run accuracy", percent(held_out.reference), on),
        Tile("Early-exit accuracy", percent(held_out.accuracy), on),
    )
    agreement = (  # its answers stand in for labels
        Tile(f"Agreement with {REFERENCE_WORDS[reference]}", percent(held_out.accuracy), on),
    )
    return (
        *(accuracies if conversion.calibration.labelled else agreement),
        Tile("Average timesteps", number(held_out.average_timesteps, 2), f"of {conversion.timesteps}"),
        Tile("Driven by spikes", percent(conversion.spiking_share, 0), _of_all(conversion.front)),
    )


def _of_all(front: FrontFacts) -> str:
    of_all = "of the multiply-accumulates"
    return of_all if not front.names else f"{of_all}; {percent(front.share, 0)} in the analog front"


def _times(value: float, reference: float) -> str:
    relation = ratio(value, reference)
    return MISSING if relation is None else f"{significant(relation, 2)}\u00a0×"
