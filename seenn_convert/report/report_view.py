"""What the page of a report shows: plots, tables, facts and sentences, taken out of the typed report."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from seenn_convert.artifact.schema.conversion import Conversion, ModelFacts
from seenn_convert.artifact.schema.evaluation import Evaluation
from seenn_convert.artifact.schema.report import Report
from seenn_convert.artifact.schema.shared import Environment
from seenn_convert.exits.certificates.certificate import Certificate
from seenn_convert.report.costs import cost_table
from seenn_convert.report.examples import Picture, pictures
from seenn_convert.report.layers import activity_table, error_table
from seenn_convert.report.narrative.certificate import COUNTED
from seenn_convert.report.narrative.exits import (
    calibration_words,
    exit_rule,
    held_out_words,
    policy_head_words,
    spike_words,
    target_words,
)
from seenn_convert.report.narrative.verdicts import Verdict, measured_words, shown_words, verdicts
from seenn_convert.report.numbers import MISSING, number, percent, ratio, significant
from seenn_convert.report.parts import Cell, Column, Fact, Row, Table, Tile, table
from seenn_convert.report.plots.evaluation import Result, accuracy_plot, exit_plot, temperature_plot, trade_off_plot
from seenn_convert.report.plots.plot import Plot, Point


@dataclass(frozen=True)
class Exits:
    """Who exits when: as a histogram, a table and shares by timestep, and when half and nine in ten have left."""

    plot: Plot
    table: Table
    shares: tuple[float, ...]
    half: int
    most: int


@dataclass(frozen=True)
class MeasuredView:
    """What an evaluation adds to the page."""

    story: str
    accuracy: Plot
    trade_off: Plot | None
    exits: Exits
    easy: tuple[Picture, ...]
    hard: tuple[Picture, ...]
    costs: Table
    errors: Table
    activity: Table


@dataclass(frozen=True)
class ConversionView:
    """What a conversion shows on the page."""

    story: str
    facts: tuple[Fact, ...]
    temperatures: Plot | None
    certificate: tuple[Fact, ...]
    operators: Table
    treatments: dict[str, int]
    passes: Table


@dataclass(frozen=True)
class ReportView:
    """The page of a report; parts that the report lacks are None."""

    name: str
    warnings: tuple[str, ...]
    tiles: tuple[Tile, ...]
    verdicts: tuple[Verdict, ...]
    measured: MeasuredView | None
    conversion: ConversionView | None
    provenance: tuple[Fact, ...]

    @property
    def plots(self) -> tuple[Plot, ...]:
        """The plots, in reading order."""
        measured, conversion = self.measured, self.conversion
        found = [] if measured is None else [measured.accuracy, measured.trade_off, measured.exits.plot]
        found += [] if conversion is None else [conversion.temperatures]
        return tuple(plot for plot in found if plot is not None)


def report_view(report: Report) -> ReportView:
    """Return what the page of ``report`` shows."""
    conversion, evaluation = report.conversion, report.evaluation
    cautions = [caution for part in (conversion, evaluation) if part is not None for caution in part.warnings]
    tiles = () if conversion is None else _conversion_tiles(conversion)
    return ReportView(
        name=MISSING if report.model is None else report.model.name,
        warnings=tuple(caution.text for caution in cautions),
        tiles=tiles if evaluation is None else _measured_tiles(evaluation),
        verdicts=verdicts(conversion, evaluation),
        measured=None if evaluation is None else _measured(evaluation, conversion, report.model),
        conversion=None if conversion is None else _conversion(conversion),
        provenance=_provenance(report),
    )


def _measured(evaluation: Evaluation, conversion: Conversion | None, model: ModelFacts | None) -> MeasuredView:
    early, names = evaluation.early_exit, None if model is None else model.class_names
    timesteps = max(evaluation.accuracy_at)
    fixed = [Point(t, 100 * accuracy) for t, accuracy in sorted(evaluation.accuracy_at.items())]
    low, high = early.interval95
    chosen = Point(early.average_timesteps, 100 * early.accuracy)
    result = Result(100 * evaluation.ann_accuracy, chosen, (100 * low, 100 * high))
    curve = [Point(p.average_timesteps, 100 * p.accuracy) for p in evaluation.trade_off]
    return MeasuredView(
        story=measured_words(evaluation),
        accuracy=accuracy_plot(fixed, timesteps, result),
        trade_off=trade_off_plot(curve, fixed, timesteps, result) if curve else None,
        exits=_exits(evaluation, () if conversion is None else conversion.exit.temperatures),
        easy=pictures(evaluation.examples.easy, names),
        hard=pictures(evaluation.examples.hard, names),
        costs=cost_table(evaluation),
        errors=error_table(evaluation.layers),
        activity=activity_table(evaluation.layers),
    )


def _measured_tiles(evaluation: Evaluation) -> tuple[Tile, ...]:
    early, lost = evaluation.early_exit, round(evaluation.points_lost, 1)
    low, high = early.interval95
    time, joule = evaluation.milliseconds_per_image, evaluation.energy.nanojoule_per_image
    return (
        Tile("ANN accuracy", percent(evaluation.ann_accuracy), "the model before conversion"),
        Tile("Early-exit accuracy", percent(early.accuracy), f"95\u00a0% interval {100 * low:.1f} to {100 * high:.1f}"),
        Tile("Points gained" if lost < 0 else "Points lost", number(abs(lost), 1), "against the ANN"),
        Tile("Average timesteps", number(early.average_timesteps, 2), f"of {max(evaluation.accuracy_at)}"),
        Tile("Energy", _times(joule.early_exit, joule.ann), "the ANN\u2019s, estimated from operation counts"),
        Tile("Time", _times(time.early_exit, time.ann), "the ANN\u2019s, measured on this machine"),
    )


def _conversion_tiles(conversion: Conversion) -> tuple[Tile, ...]:
    held_out, on = conversion.exit.held_out, f"on {number(conversion.calibration.held_out_images)} calibration images"
    first = [
        Tile("ANN accuracy", percent(held_out.reference), f"{on}, held out"),
        Tile("Early-exit accuracy", percent(held_out.accuracy), f"{on}, held out"),
    ]
    if not conversion.calibration.labelled:  # the ANN's answers stand in for the labels
        first = [Tile("Agreement with the ANN", percent(held_out.accuracy), f"{on}, held out")]
    return (
        *first,
        Tile("Average timesteps", number(held_out.average_timesteps, 2), f"of {conversion.timesteps}"),
        Tile("Driven by spikes", percent(conversion.spiking_share, 0), "of the multiply-accumulates"),
    )


def _times(value: float, reference: float) -> str:
    relation = ratio(value, reference)
    return MISSING if relation is None else f"{significant(relation, 2)}\u00a0×"


def _exits(evaluation: Evaluation, temperatures: Sequence[float]) -> Exits:
    counts, timesteps = evaluation.early_exit.exit_counts, max(evaluation.accuracy_at)
    total = max(sum(counts.values()), 1)
    shares = [counts.get(t, 0) / total for t in range(1, timesteps + 1)]
    left = list(accumulate(shares))
    half, most = (
        next((t for t, share in enumerate(left, 1) if share >= part - 1e-9), timesteps) for part in (0.5, 0.9)
    )
    columns = [
        Column("Timestep"),
        Column("Images that leave"),
        Column("Have left"),
        Column("Accuracy if all stop here"),
        Column("Temperature"),
    ]
    known = [*temperatures, *[None] * timesteps]
    rows = [
        [
            str(t),
            percent(share),
            percent(left[t - 1]),
            percent(evaluation.accuracy_at.get(t)),
            significant(known[t - 1]),
        ]
        for t, share in enumerate(shares, 1)
    ]
    by_timestep = table("Timestep by timestep", columns, rows, long=True)
    return Exits(exit_plot([100 * share for share in shares]), by_timestep, tuple(shares), half, most)


def _conversion(conversion: Conversion) -> ConversionView:
    scope = ", one per channel" if conversion.per_channel else ", one per layer"
    facts, certificate = conversion.exit, conversion.certificate
    pairs = [
        Fact("Timesteps at most", number(conversion.timesteps)),
        Fact("Neuron", f"{conversion.neuron.kind}; a spike is {spike_words(conversion.neuron)}"),
        Fact("Firing thresholds", conversion.threshold_rule + scope),
        Fact("Calibration data", calibration_words(conversion.calibration)),
        Fact("Driven by spikes", f"{percent(conversion.spiking_share)} of the multiply-accumulates"),
        Fact(
            "Parity",
            f"{significant(conversion.parity, 2)} relative difference between the ANN as read and the original",
        ),
        Fact("Exit", f"An image leaves {exit_rule(facts.policy)}."),
        Fact("Target", target_words(facts) or MISSING),
        Fact("On held-out images", held_out_words(conversion)),
        *([] if facts.head is None else [Fact("Policy head", policy_head_words(facts.head))]),
    ]
    points = [Point(t, value) for t, value in enumerate(facts.temperatures, 1)]
    kinds = [site.treatment for site in conversion.operators]
    return ConversionView(
        story=shown_words(conversion),
        facts=tuple(pairs),
        temperatures=temperature_plot(points) if points else None,
        certificate=() if certificate is None else _certificate(certificate),
        operators=_operators(conversion),
        treatments={kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
        passes=_passes(conversion),
    )


def _certificate(certificate: Certificate) -> tuple[Fact, ...]:
    return (
        Fact("What is counted", COUNTED[certificate.risk]),
        Fact("At most (epsilon)", percent(certificate.epsilon, 2)),
        Fact("Chance of being wrong (delta)", f"{percent(certificate.delta)} of such certificates"),
        Fact("On held-out calibration images", percent(certificate.observed, 2)),
        Fact("Bound for this policy alone", percent(certificate.upper_bound, 2)),
        Fact("Average timesteps there", number(certificate.average_timesteps, 2)),
    )


def _operators(conversion: Conversion) -> Table:
    columns = [
        Column("Node", numeric=False),
        Column("Operator", numeric=False),
        Column("Treatment", numeric=False),
        Column("MACs", "Multiply-accumulates per image and pass. Those with the zeros of padding count."),
        Column("Share", "Of all multiply-accumulates."),
        Column("Driven by", "What sets off its multiply-accumulates.", numeric=False),
        Column("From", "Its place in the model that was read.", numeric=False),
    ]
    rows = [
        [s.name, s.operator, s.treatment, number(s.macs), percent(s.share), s.driven_by or MISSING, s.source or MISSING]
        for s in conversion.operators
    ]
    return table("Operators", columns, rows, long=True)


def _passes(conversion: Conversion) -> Table:
    columns = [Column("Pass", numeric=False), Column("Changed"), Column("Declined", numeric=False)]
    rows: list[Row] = [
        [one.name, number(one.changed), Cell("" if one.declined else MISSING, items=one.declined)]
        for one in conversion.passes
    ]
    return table("Passes", columns, rows)


def _provenance(report: Report) -> tuple[Fact, ...]:
    model, conversion, evaluation = report.model, report.conversion, report.evaluation
    found = []
    if model is not None:
        found += [
            Fact("Model", model.name),
            Fact("SHA-256", model.sha256 or MISSING, code=True),
            Fact("Input", " × ".join(map(str, model.input_shape))),
            Fact("Classes", number(model.classes)),
        ]
    if conversion is not None:
        found.append(Fact("Calibration data", calibration_words(conversion.calibration)))
    if evaluation is not None:
        found.append(Fact("Evaluation data", f"{evaluation.data.name}, {number(evaluation.data.images)} images"))
    return (*found, *environment_facts(report.environment))


def environment_facts(environment: Environment | None) -> tuple[Fact, ...]:
    """Return versions, machine and date."""
    if environment is None:
        return ()
    versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
    return Fact("Versions", versions), Fact("Machine", environment.machine), Fact("Date", environment.date)
