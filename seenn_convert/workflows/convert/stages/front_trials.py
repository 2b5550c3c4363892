"""Try analog fronts roughly: thresholds and biases from few images, judged for the target on others."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seenn_convert.analysis.coverage import call_sites
from seenn_convert.analysis.front import Cut
from seenn_convert.analysis.memory import images_together
from seenn_convert.artifact.schema.front import FrontTrial
from seenn_convert.calibration.observe import observe
from seenn_convert.calibration.output_error import relative_distance
from seenn_convert.calibration.rules import AutoRule
from seenn_convert.calibration.statistics import ActivationStatistics
from seenn_convert.calibration.timestep_bias import fit_timestep_bias
from seenn_convert.exits.choose import Setting, choose, fixed_settings, judged
from seenn_convert.exits.readouts import Readouts, collect_readouts
from seenn_convert.exits.step_time import StepTime, out_of_reach, step_time
from seenn_convert.exits.thresholds import ExitTarget, careful_to_fast, full_run
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import rows_together
from seenn_convert.measure.costs import Tally, costs
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.insert_timestep_bias import InsertTimestepBias
from seenn_convert.passes.keep_front import KeepFront
from seenn_convert.passes.sequence import probe_pass, spiking_passes
from seenn_convert.rows import ROW_FLOOR, pad_rows
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.workflows.convert.session import BIAS_TIMESTEPS, Session
from seenn_convert.workflows.convert.stages.thresholds import thresholds_by

FITTING_IMAGES, JUDGING_IMAGES = (8, 64), (24, 256)
"""Fewest and most images that fit the rough biases of what is tried, and that judge it."""

WORK = 100_000_000_000
"""Multiply-accumulates times timesteps of all that is tried, where the bounds above allow it: some seconds."""

COUNTED_IMAGES = 2
"""Images from which the energy of what is tried is estimated."""

FEWEST_CUTS, MOST_CUTS = 2, 5
"""How many cuts are tried, no front among them: the more, the less work a run takes."""

PRICE = 0.1
"""A front is worth it if it saves at least this share of the timesteps, or of the distance from the ANN's logits."""


@dataclass(frozen=True)
class Trial:
    """A front that was tried, and what came of it; the target in timesteps, if it is not a drop."""

    cut: Cut
    facts: FrontTrial
    timesteps: float | None = None


def best_of(trials: Sequence[Trial]) -> Trial:
    """Return the trial that is best for the target, where a larger front has to earn its price.

    For a target of timesteps, the logits then are the nearest to the ANN's. For a drop, they get the earliest as near
    as they are without a front at its average timesteps. Few images measure the distance of the logits well, while a
    single one of them decides about a target like half a point. ``trials`` are in the order of their size; for a drop
    the first has no front.
    """
    best, first = trials[0], trials[0].facts
    level = _at(first.distance_at, first.average_timesteps)
    for one in trials[1:]:
        if one.timesteps is not None and best.timesteps is not None:
            measures = [_at(x.facts.distance_at, x.timesteps or 1.0) for x in (one, best)]
        else:
            measures = [_timesteps_to(level, x.facts.distance_at) for x in (one, best)]
        if measures[0] <= measures[1] * (1 - PRICE):
            best = one
    return best


def _at(distance_at: Sequence[float], timesteps: float) -> float:
    """Return the distance after a number of timesteps, which need not be whole."""
    whole = min(int(timesteps), len(distance_at))
    after = min(whole + 1, len(distance_at))
    share = timesteps - whole if after > whole else 0.0
    return (1 - share) * distance_at[whole - 1] + share * distance_at[after - 1]


def _timesteps_to(level: float, distance_at: Sequence[float]) -> float:
    """Return after how many timesteps, not only whole ones, the distance is first at most ``level``."""
    before = math.inf
    for t, now in enumerate(distance_at, 1):
        if now <= level:
            return t - (level - now) / (before - now) if now < before < math.inf else float(t)
        before = now
    return math.inf


def tried(session: Session, cuts: Sequence[Cut]) -> tuple[list[Trial], int]:
    """Return trials of some of the cuts, from the first to the largest, and how many images judged them.

    A cut that leaves only silent activations is passed over, and one whose stem and first step take longer than the
    target allows, no front among them.

    Raises:
        InputError: All of them take longer.
    """
    timesteps = min(session.options.timesteps, BIAS_TIMESTEPS)
    affordable = WORK // (max(1, sum(site.macs for site in call_sites(session.ann))) * timesteps)
    cuts = _some(cuts, max(FEWEST_CUTS, min(MOST_CUTS, affordable // (FITTING_IMAGES[0] + JUDGING_IMAGES[0]))))
    fitting, judging = _drawn(session, affordable // len(cuts))
    counter, trials = session.counter("trying fronts", len(cuts)), list[Trial]()
    with torch.no_grad():
        judge = _Judge(session, judging, timesteps)
        together = images_together(session.ann, session.options.batch_size)
        images = [image for image, _ in session.data.batches(together, fitting)]
        statistics, _ = observe(session.ann, images, fitting)
        for cut in cuts:
            left = {name: found for name, found in statistics.items() if name not in cut.names}
            if any(bool((found.maxima > 0).any()) for found in left.values()):
                trial = judge.trial(cut, *_rough(session, cut, left, torch.cat(images), timesteps))
                trials += [] if trial is None else [trial]
            counter.add(1)
    if judge.too_slow and not trials:
        assert session.options.target is not None
        raise out_of_reach(session.options.target, min(judge.too_slow, key=lambda time: time.stem + time.step))
    return trials, len(judging)


def _some(cuts: Sequence[Cut], most: int) -> list[Cut]:
    """Return at most so many of the cuts, the first and the largest among them, evenly by their share."""
    first, last = cuts[0].share, cuts[-1].share
    wanted = [first + (last - first) * n / (most - 1) for n in range(most)]
    nearest = [min(cuts, key=lambda cut: abs(cut.share - share)) for share in wanted]
    return [cut for cut in cuts if cut in (cuts[0], cuts[-1], *nearest)]


def _drawn(session: Session, affordable: int) -> tuple[list[int], list[int]]:
    """Return the images of the fitting part that fit and those that judge: so many together, within the bounds."""
    among = session.split.fitting
    (least_fit, most_fit), (least_judge, most_judge) = FITTING_IMAGES, JUDGING_IMAGES
    fit = min(max(least_fit, min(most_fit, affordable // 4)), max(1, len(among) // 3))
    judge = max(least_judge, min(most_judge, affordable - fit))
    drawn = session.drawn(among, min(fit + judge, len(among)))
    return sorted(drawn[:fit]), sorted(drawn[fit:] or drawn)


def _rough(
    session: Session, cut: Cut, statistics: Mapping[str, ActivationStatistics], images: Tensor, timesteps: int
) -> tuple[Program, Program]:
    """Return the ANN with a front, and the spiking program made of it roughly: middle thresholds, rough biases."""
    options, rule = session.options, session.options.rule
    ann = KeepFront(cut.activations)(session.ann)
    if isinstance(rule, AutoRule):
        rule = rule.middle(options.timesteps, options.neuron_type.resolution)
    found = thresholds_by(rule, replace(session, ann=ann), statistics, len(images)).v_thresholds()
    v_thresholds = {name: found[name] for name in statistics}
    snn = run_passes(ann, spiking_passes(ann, v_thresholds, options.neuron_type))
    form = session.compared_with(options.timesteps)
    if form is None:
        return ann, snn
    biases = fit_timestep_bias(ann, snn, timesteps, [images.to(options.device, ann.input_dtype)], form)
    return ann, run_passes(snn, [InsertTimestepBias(biases)]) if biases else snn


class _Judge:
    """Judges networks by the same images, which the ANN runs once."""

    def __init__(self, session: Session, images: Sequence[int], timesteps: int) -> None:
        self.session, self.images, self.timesteps = session, images, timesteps
        options, labels = session.options, session.data.labels
        together = images_together(session.ann, options.batch_size)
        self.ann_logits = torch.cat([session.ann(pad_rows(one))[: len(one)].cpu() for one in self._batches(together)])
        self.without: Setting | None = None
        self.too_slow = list[StepTime]()
        self.labels = None if labels is None else labels[list(images)]

    def trial(self, cut: Cut, ann: Program, snn: Program) -> Trial | None:
        """Return what the network ``snn``, made of ``ann``, does for the target; None if it is too slow for it."""
        options, unscaled = self.session.options, torch.ones(self.timesteps, dtype=ann.input_dtype)
        probed = run_passes(snn, [probe_pass(ann, options.exit_score, unscaled)])
        model = SpikingModel(probed, self.timesteps, FixedPolicy(self.timesteps)).to(options.device)
        target = self._target(model)
        if target is None:
            return None
        readouts = self._run(model)
        fixed = fixed_settings(readouts)
        aim = target if target.drop is None else ExitTarget(drop=self._reachable(target.drop, fixed[-1]))
        chosen = choose(_path(readouts), aim, "path")
        assert readouts.logits is not None
        facts = FrontTrial(
            activations=cut.activations,
            share=cut.share,
            drop_at=tuple(one.expected_drop for one in fixed),
            distance_at=tuple(relative_distance(found, self.ann_logits) for found in readouts.logits),
            average_timesteps=chosen.average_timesteps,
            expected_drop=chosen.expected_drop,
            reached=chosen.reached and aim == target,
            nanojoule_per_image=self._energy(ann, model, chosen.exit_steps(readouts.scores)),
        )
        return Trial(cut, facts, target.timesteps)

    def _run(self, model: SpikingModel) -> Readouts:
        """Return what all timesteps showed, with temperatures fitted to it: that flatters all trials alike."""
        found = collect_readouts(
            model,
            self._batches(rows_together(model.program, self.session.options.batch_size)),
            self.ann_logits,
            self.labels,
            keep_logits=True,
            row_floor=rows_together(model.program, ROW_FLOOR),
        )
        images = range(len(self.images))
        scored = found.scored(self.session.options.exit_score, found.temperatures(images))
        return scored.with_ann_temperature(images)

    def _energy(self, ann: Program, model: SpikingModel, exits: Tensor) -> float:
        """Return the estimated energy for one image in nJ, by what a few that leave at ``exits`` do."""
        tally, few = Tally(model), next(self._batches(COUNTED_IMAGES))
        collect_readouts(tally.model, [few], row_floor=1, observers=(tally.add,))
        return costs(ann, tally.counts(), exits[: len(few)])[1].nanojoule_per_image.early_exit

    def _reachable(self, drop: float, full_run: Setting) -> float:
        """Return the drop to aim at: the one asked for, or that of the first trial's full run where this is more."""
        self.without = self.without or full_run
        return max(drop, self.without.expected_drop)

    def _target(self, model: SpikingModel) -> ExitTarget | None:
        """Return the target, half a point if a certificate alone decides.

        A time becomes the timesteps of this network, None if these are fewer than one.
        """
        target = self.session.options.target or ExitTarget(drop=0.5)
        if target.milliseconds is None:
            return target
        images = next(self._batches(rows_together(model.program, self.session.options.batch_size)))
        time = step_time(target, model, images)
        if time.timesteps < 1:
            self.too_slow.append(time)
            return None
        return ExitTarget(timesteps=time.timesteps)

    def _batches(self, size: int) -> Iterator[Tensor]:
        """Yield the images, ``size`` together, where and in the type in which the ANN computes."""
        for image, _ in self.session.data.batches(size, self.images):
            yield image.to(self.session.options.device, self.session.ann.input_dtype)


def _path(readouts: Readouts) -> list[Setting]:
    """Return settings from careful to fast, fitted to the images that judge them."""
    path = [full_run(readouts.timesteps), *careful_to_fast(readouts.scores, readouts.worth)]
    return [judged(readouts, thresholds) for thresholds in path]
