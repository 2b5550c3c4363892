"""Try several settings on held-out images, keep the one preferred, and report what the others would give."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict, Unpack

from seenn_convert.analysis.frames import frames_of
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.schema.conversion import Conversion
from seenn_convert.artifact.schema.exploration import Exploration
from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.choices import PREFER_NAMES, VARIED_NAMES, Prefer, Range, Varied, unknown
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.data.counts import noting_counts
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.samples import Samples
from seenn_convert.errors import InputError, refuse
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exits.tune import split_calibration
from seenn_convert.frontend.torch.aten import Operator
from seenn_convert.measure.frontier import frontier, good_for, trial_of
from seenn_convert.measure.timing import time_parts
from seenn_convert.passes.base import Pass
from seenn_convert.progress import Progress, silent
from seenn_convert.rows import pad_rows
from seenn_convert.workflows.convert.inputs import Model
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.prepare import Prepared, prepare
from seenn_convert.workflows.convert.run import compile_prepared
from seenn_convert.workflows.explore.budget import Budget
from seenn_convert.workflows.explore.search import LOOK_IMAGES, NO_TIME, TOO_LONG, Attempt, Found, Search
from seenn_convert.workflows.explore.settings import command_line, left_open, rounds, settings

TIMED_IMAGES, TIMED_WORK = (16, 64), 2_500_000_000
"""Fewest and most held-out images on which a setting is timed, and the multiply-accumulates of the ANN for them where
the bounds allow it."""

SAME = "the network is the same with --front auto and with --front none"
NO_BETTER_FRONT = "no analog front within the budget is better than none here"


class Inputs(TypedDict, total=False):
    """What ``explore`` takes as ``convert`` does."""

    weights: Path | str | None
    output_name: str | None
    class_names: Sequence[str] | None
    preprocessing: Preprocessing | None
    input_shape: Sequence[int] | None
    extra_operators: Sequence[Operator]
    extra_passes: Sequence[Pass]
    ann_accuracy: float | None
    exit_data: SampleData | None
    validation_data: SampleData | None


def explore(
    model: Model,
    calibration_data: SampleData,
    options: Options = Options(),
    *,
    minutes: float = 5.0,
    prefer: Prefer | None = None,
    vary: Collection[Varied] | None = None,
    progress: Progress = silent,
    clock: Callable[[], float] = time.monotonic,
    **inputs: Unpack[Inputs],
) -> Artifact:
    """Convert by several settings and return the network of the one preferred; its report tells about the others.

    All are judged on the held-out part of the calibration data, or of the exit images if there are any. The setting
    in ``options`` is always among them. ``artifact.report.conversion.exploration`` holds what they give.

    Args:
        model: As for ``convert``.
        calibration_data: As for ``convert``.
        options: As for ``convert``; what ``vary`` names is changed.
        minutes: Time to spend. A trial that would take longer than what is left is not started. Only
            the setting in ``options`` is converted whatever it takes, unless another one reaches the target.
        prefer: Among the settings that reach the target, the one with the highest expected ``"accuracy"``, the fewest
            average timesteps (``"steps"``), or the least ``"time"`` or estimated ``"energy"``; if none reaches it, the
            one expected to lose least. None is ``"steps"``, for a target in timesteps or time ``"accuracy"``.
        vary: Which of ``"neuron"``, ``"timesteps"``, ``"calibration"`` and ``"front"`` may be changed; if None
            those that have their defaults in ``options``.
        progress: Told about each stage.
        clock: Seconds, for the time that was spent.
        inputs: The other keyword arguments of ``convert``.

    Raises:
        InputError: Model, data or options cannot be used; says what to do.
    """
    if isinstance(vary, str):
        raise InputError(f"vary must be a list of names, such as [{vary!r}], got {vary!r}")
    vary = left_open(options) if vary is None else vary
    refuse([
        *Range(above=0).problems("minutes", minutes),
        *([] if prefer is None else unknown("prefer", prefer, PREFER_NAMES)),
        *(problem for name in vary for problem in unknown("vary", name, VARIED_NAMES)),
    ])  # fmt: skip
    budget = Budget(60 * minutes, clock)
    prepared = _opened(prepare(model, calibration_data, options, progress=progress, **inputs), progress)
    frames = frames_of(prepared.ann)
    options = options.for_frames(frames)
    if frames is not None:  # one timestep for each frame, and nothing that runs once for all of them
        vary = [name for name in vary if name not in ("timesteps", "front")]
    prefer = prefer or _preference(options.target)
    trier = _Trier(prepared, options, progress, clock)
    search = Search(trier, budget, len(prepared.data), options, prefer, progress)
    found = search.run(settings(options, vary), rounds(options, vary))
    artifact = _reported(found, options, prefer, minutes, budget.spent, trier.ann_milliseconds)
    return _advised(artifact, found, [name for name in VARIED_NAMES if name not in vary])


def _preference(target: ExitTarget | None) -> Prefer:
    """Return what is preferred where nothing is said: a target leaves one of accuracy and timesteps open."""
    return "steps" if target is None or target.drop is not None else "accuracy"


class _Trier:
    """Converts by one setting after another, and times them against the ANN, so that a change of speed cancels."""

    def __init__(self, prepared: Prepared, base: Options, progress: Progress, clock: Callable[[], float]) -> None:
        self.prepared, self.base, self.progress, self.clock = prepared, base, progress, clock
        self.few = _few(prepared, LOOK_IMAGES)
        self.ann_milliseconds: float | None = None
        self.no_front = ""
        self.frontless = set[str]()

    def __call__(self, options: Options, few: bool) -> Attempt:
        """Return what ``options`` give, on a few images or on all.

        Raises:
            InputError: They cannot be used, or with and without an analog front the network is the same.
        """
        start, prepared = self.clock(), self.few if few else self.prepared
        other_front = options.front != self.base.front
        if other_front and (self.no_front or command_line(replace(options, front="auto")) in self.frontless):
            raise InputError(f"{SAME}: {self.no_front or NO_BETTER_FRONT}")
        artifact = compile_prepared(prepared, options, self.progress)
        conversion = artifact.report.conversion
        assert conversion is not None
        if options.front == "auto" and not conversion.front.names:
            self.no_front = conversion.front.off
            if not few:
                self.frontless.add(command_line(options))
            if other_front:
                raise InputError(f"{SAME}: {self.no_front or NO_BETTER_FRONT}")
        time = None if few else self._milliseconds(artifact, options, conversion)
        trial = trial_of(conversion, command_line(options), options.calibration, time, self.clock() - start)
        return Attempt(options, trial, artifact)

    def _milliseconds(self, artifact: Artifact, options: Options, conversion: Conversion) -> float:
        """Return the time of an image at the average timesteps, if the ANN took what it took at the first trial."""
        fewest, most = TIMED_IMAGES
        macs = sum(site.macs for site in conversion.operators)
        count = max(fewest, min(most, TIMED_WORK // max(macs, 1), options.batch_size))
        chosen = split_calibration(len(self.prepared.data), options.seed).held_out[:count]
        image = pad_rows(next(self.prepared.data.batches(count, chosen))[0])
        model, ann = artifact.model().to(options.device), artifact.ann
        ann.graph_module.to(options.device)
        found = time_parts(ann, model, image)
        ann.graph_module.to("cpu")
        self.ann_milliseconds = self.ann_milliseconds or found.ann
        spent = found.stem + conversion.exit.held_out.average_timesteps * found.step
        return spent / found.ann * self.ann_milliseconds


def _opened(prepared: Prepared, progress: Progress) -> Prepared:
    """Return the same with the exit images, if there are any, opened once for all trials."""
    exits, shape = prepared.known.exit_data, prepared.ann.input_shape
    if exits is None:
        return prepared
    opened = as_samples(exits, noting_counts(prepared.data), progress=progress, input_shape=shape)
    return replace(prepared, known=replace(prepared.known, exit_data=opened))


def _few(prepared: Prepared, count: int) -> Prepared:
    """Return the same with ``count`` of the calibration images, and of the exit images."""
    exits = prepared.known.exit_data
    few = exits.take(count) if isinstance(exits, Samples) else exits
    return replace(prepared, data=prepared.data.take(count), known=replace(prepared.known, exit_data=few))


def _reported(
    found: Found, base: Options, prefer: Prefer, minutes: float, seconds: float, ann_milliseconds: float | None
) -> Artifact:
    """Return the best network with what was found in its report."""
    artifact, conversion = found.best.artifact, found.best.artifact.report.conversion
    assert conversion is not None
    best, dominated = frontier(found.trials)
    exploration = Exploration(
        prefer=prefer,
        minutes=minutes,
        seconds=seconds,
        ann_accuracy=conversion.exit.held_out.reference,
        ann_milliseconds=ann_milliseconds,
        kept=found.best.trial.options,
        default=command_line(base),
        frontier=best,
        dominated=dominated,
        looked_at=found.looked_at,
        left_out=found.left_out,
        labelled=conversion.calibration.labelled,
        good_for=good_for(
            best, conversion.graded_skips.connections > 0, base.device, conversion.graded_depthwise is not None
        ),
    )
    conversion = replace(conversion, exploration=exploration)
    return replace(artifact, report=replace(artifact.report, conversion=conversion))


def _advised(artifact: Artifact, found: Found, fixed: Sequence[Varied]) -> Artifact:
    """Return the artifact whose warning about a missed target is in the words of an exploration."""
    conversion = artifact.report.conversion
    assert conversion is not None
    told = Caution("target_not_reached", _missed(found, fixed))
    warnings = tuple(told if one.code == told.code else one for one in conversion.warnings)
    return replace(artifact, report=replace(artifact.report, conversion=replace(conversion, warnings=warnings)))


def _missed(found: Found, fixed: Sequence[Varied]) -> str:
    """Return that no setting reaches the target, and what may help; ``fixed`` could not be changed."""
    least = min(found.trials, key=lambda trial: trial.expected_drop)
    flags = ", ".join("-T" if name == "timesteps" else f"--{name}" for name in fixed)
    ways = [
        "allow a larger drop (--target-drop)",
        *(
            ["give more time (--minutes)"]
            if any(why.startswith((TOO_LONG, NO_TIME)) for why in found.left_out.values())
            else []
        ),
        *([f"leave {flags} to --explore"] if flags else []),
    ]
    tried = "the one setting" if len(found.trials) == 1 else f"none of the {len(found.trials)} settings"
    return (
        f"{tried} that {'was' if len(found.trials) == 1 else 'were'} tried on all images "
        f"{'misses' if len(found.trials) == 1 else 'reaches'} the exit target; the least loss, "
        f"{least.expected_drop:.1f} points, is expected with {least.options}; {', or '.join(ways)}"
    )
