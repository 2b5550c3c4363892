"""The stages of a conversion that read the calibration data: thresholds, weights, biases, the exit."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from seenn_convert.analysis.coverage import call_sites
from seenn_convert.calibration.calibration import Calibration, from_statistics
from seenn_convert.calibration.observe import check_images, observe
from seenn_convert.calibration.output_error import divergence, output_errors, overall
from seenn_convert.calibration.rules import AutoRule
from seenn_convert.calibration.statistics import ActivationStatistics
from seenn_convert.calibration.threshold_choice import choose_thresholds
from seenn_convert.calibration.timestep_bias import RATE, Form, fit_timestep_bias, without_bias_behind
from seenn_convert.data.checks import checked_labels
from seenn_convert.data.samples import Samples
from seenn_convert.errors import CalibrationDataError
from seenn_convert.exits.step_time import StepTime, time_for
from seenn_convert.exits.thresholds import NEVER, ExitTarget
from seenn_convert.exits.tune import ExitTuning, Split, tune_exit
from seenn_convert.ir.editor import images_together
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import rows_together
from seenn_convert.measure.ann import run_ann
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.insert_timestep_bias import InsertTimestepBias
from seenn_convert.passes.sequence import probe_pass
from seenn_convert.passes.shift_initial_potential import ShiftInitialPotential
from seenn_convert.progress import Counter, Progress
from seenn_convert.rows import ROW_FLOOR, pad_rows
from seenn_convert.runtime.all_timesteps import run_all_timesteps
from seenn_convert.runtime.policies import SCORE_POLICIES
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.training.reconstruct import jittered, reconstruct
from seenn_convert.workflows.convert.options import Options

BIAS_UPDATES, BIAS_IMAGES, BIAS_TIMESTEPS = 12, (32, 128), 64
"""Updates of the timestep biases, fewest and most images in each, and the timesteps behind which there is no bias:
the start-up that they correct is over by then."""

BIAS_PASSES = 4
"""No image serves in more updates than this, however few there are; in a fast calibration each serves in one."""

BIAS_WORK = 2048
"""Images in an update times timesteps, where the bounds above allow it."""

CHOICE_IMAGES = (16, 64)
"""Fewest and most images on which threshold rules are compared."""

CHOICE_WORK = 512
"""Images on which rules are compared times timesteps, where the bounds above allow it."""

JUDGING_IMAGES = (128, 256)
"""Fewest and most images on which tuned weights are judged, where there are so many."""

LEAST_FOR_WEIGHTS = 48
"""Fewest fitting images of a deep calibration."""

WEIGHT_UPDATES, WEIGHT_IMAGES = (250, 600), 48
"""Fewest and most updates of the weights in a deep calibration, and images in each."""

WEIGHT_SHARES = (0.5, 1.0)
"""How much of what tuning moved is tried."""

WEIGHT_WORK, WEIGHT_PASSES = 25_000_000_000, 100
"""Updates times multiply-accumulates of the ANN for an image, where the bounds above allow it: some minutes. And in how
many updates an image serves at most, whatever the bounds."""


def calibrate_thresholds(
    ann: Program, data: Samples, split: Split, options: Options, progress: Progress
) -> Calibration:
    """Choose the thresholds on the fitting part."""
    statistics, seen = _observed(ann, data, split, options, progress)
    if not isinstance(options.rule, AutoRule):
        return from_statistics(statistics, seen, options.rule, options.per_channel)
    horizon = (options.timesteps, options.kind.resolution)
    if options.calibration == "fast":
        return from_statistics(statistics, seen, options.rule.middle(*horizon), options.per_channel)
    rules = options.rule.candidates(*horizon)
    found = [from_statistics(statistics, seen, rule, options.per_channel) for rule in rules]
    images = _choice_images(ann, data, split.fitting, options)
    until = _horizon(options)
    return choose_thresholds(ann, found, options.kind, until, images, _compared_with(options, until), progress)


def _observed(
    ann: Program, data: Samples, split: Split, options: Options, progress: Progress
) -> tuple[dict[str, ActivationStatistics], int]:
    """Return the statistics of the activations on the fitting part, and its number of images."""
    counter = Counter(progress, "calibrating", len(split.fitting))

    def images() -> Iterator[Tensor]:
        for image, _ in data.batches(images_together(ann, options.batch_size), split.fitting):
            check_images(image, ann.input_shape, split.fitting[counter.done : counter.done + len(image)])
            yield image
            counter.add(len(image))

    return observe(ann, images())


def _compared_with(options: Options, timesteps: int) -> Form | None:
    """Return the biases that runs of ``timesteps`` are compared with: none where a long run ends without them."""
    form = options.chosen_correction
    return None if form == "none" or (form == "timestep" and timesteps > BIAS_TIMESTEPS) else form


def _horizon(options: Options) -> int:
    """Return the timestep up to which the run has to be good: images leave around the average that is aimed at."""
    average = None if options.target is None else options.target.timesteps
    return options.timesteps if average is None else min(options.timesteps, math.ceil(2 * average))


def _choice_images(
    ann: Program, data: Samples, among: Sequence[int], options: Options, bounds: tuple[int, int] = CHOICE_IMAGES
) -> Tensor:
    """Return the images on which alternatives are compared, ``among`` those positions."""
    fewest, most = bounds
    count = min(max(fewest, min(most, CHOICE_WORK // options.timesteps)), len(among))
    images = next(data.batches(count, _drawn(among, count, options.seed)))[0]
    return pad_rows(images.to(options.device, ann.input_dtype))


def tune_weights(
    ann: Program, calibration: Calibration, data: Samples, split: Split, options: Options, progress: Progress
) -> tuple[Program, Calibration]:
    """Return the ANN to put neurons into, and its thresholds: tuned to the ANN's activations where that helps.

    Tuning starts from the finest levels, as it finds by itself what to clip. Whether it helps is judged by the answers
    on a quarter of the fitting images, which tune no weights; both networks get rough biases there first. It has to
    help over the prefixes of the run and not to harm its end: what early answers gain the last must not pay for. So
    weights half the way to the tuned ones are tried as well.

    Raises:
        CalibrationDataError: There are too few images.
    """
    if options.calibration != "deep":
        return ann, calibration
    if len(split.fitting) < LEAST_FOR_WEIGHTS:
        raise CalibrationDataError(
            f"{len(data)} calibration images, of which {len(split.fitting)} are for fitting, are too few to tune "
            "weights; give some hundreds, or take --calibration balanced"
        )
    judging, tuning = split.fitting[::4], tuple(i for n, i in enumerate(split.fitting) if n % 4)
    size, timesteps, updates = min(WEIGHT_IMAGES, len(tuning)), options.timesteps, _weight_updates(ann, len(tuning))
    start = calibration
    if isinstance(options.rule, AutoRule):
        finest = options.rule.finest(timesteps, options.kind.resolution)
        start = calibrate_thresholds(ann, data, split, replace(options, rule=finest), progress)
    start = replace(start, rule=f"tuned from {start.rule}", choice=calibration.choice)
    chosen = _drawn(tuning, updates * size, options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    images = _update_images(ann, data, size, chosen, options, Counter(progress, "tuning weights", len(chosen)))
    moved = (jittered(image, generator) for image in images)
    found = reconstruct(ann, start.v_thresholds(), moved, updates, timesteps * options.kind.resolution)
    compared = _choice_images(ann, data, judging, options, JUDGING_IMAGES)

    def errors(program: Program, thresholds: Mapping[str, Tensor]) -> list[float]:
        correction = _compared_with(options, timesteps)
        return output_errors(ann, program, thresholds, options.kind, timesteps, compared, correction, divergence)

    before = errors(ann, calibration.v_thresholds())
    tried = [(share, found.up_to(share, ann, start.v_thresholds())) for share in WEIGHT_SHARES]
    after = [errors(one.ann, one.v_thresholds) for _, one in tried]
    best = min(range(len(tried)), key=lambda i: (after[i][-1] > before[-1], overall(after[i])))
    share, tuned = tried[best]
    helps = overall(after[best]) < overall(before) and after[best][-1] <= before[-1]
    facts: dict[str, list[float] | float | bool] = {
        "errors_before": before,
        "errors_after": after[best],
        "share": share,
        "kept": helps,
    }
    if not helps:
        return ann, replace(calibration, weights=facts)
    statistics, _ = _observed(tuned.ann, data, split, options, progress)
    return tuned.ann, replace(start.with_thresholds(tuned.v_thresholds, statistics), weights=facts)


def _weight_updates(ann: Program, images: int) -> int:
    """Return how many updates the weights get: the more, the smaller the network is and the more images there are."""
    fewest, most = WEIGHT_UPDATES
    updates = max(fewest, min(most, WEIGHT_WORK // max(1, sum(site.macs for site in call_sites(ann)))))
    return min(updates, math.ceil(WEIGHT_PASSES * images / WEIGHT_IMAGES))


def _drawn(among: Sequence[int], count: int, seed: int) -> list[int]:
    """Return ``count`` of the positions, in an order set by the seed; repeated if need be."""
    order = torch.randperm(len(among), generator=torch.Generator().manual_seed(seed))
    return [among[int(order[i % len(order)])] for i in range(count)]


def _update_images(
    ann: Program, data: Samples, size: int, chosen: Sequence[int], options: Options, counter: Counter
) -> Iterator[Tensor]:
    """Yield the images at ``chosen``, ``size`` an update, where and in the type in which the ANN computes."""
    for image, _ in data.batches(size, chosen):
        yield image.to(options.device, ann.input_dtype)
        counter.add(len(image))


def correct(
    ann: Program, spiking: Program, data: Samples, split: Split, options: Options, progress: Progress
) -> Program:
    """Return the spiking program with the correction of its mean outputs that the options ask for."""
    form = options.chosen_correction
    if form == "none":
        return spiking
    biases = fit_bias(ann, spiking, data, split, options, progress, form)
    if form == "potential":
        return run_passes(spiking, [ShiftInitialPotential({name: bias[0] for name, bias in biases.items()})])
    return run_passes(spiking, [InsertTimestepBias(biases)])


def fit_bias(
    ann: Program, spiking: Program, data: Samples, split: Split, options: Options, progress: Progress,
    form: Form = "timestep",
) -> dict[str, Tensor]:  # fmt: skip
    """Fit biases on the fitting part, in updates of a fixed number of images: the same for any batch size.

    The fewer updates there are, the larger is the share of the gap that each closes.
    """
    fewest, most = BIAS_IMAGES
    timesteps = min(options.timesteps, BIAS_TIMESTEPS)
    size = min(max(fewest, min(most, BIAS_WORK // timesteps)), len(split.fitting))
    passes = 1 if options.calibration == "fast" else BIAS_PASSES
    updates = min(BIAS_UPDATES, math.ceil(passes * len(split.fitting) / size))
    chosen = _drawn(split.fitting, updates * size, options.seed)
    images = _update_images(ann, data, size, chosen, options, Counter(progress, "correcting means", len(chosen)))
    rate = min(0.8, RATE * max(1.0, BIAS_UPDATES / 2 / updates))
    biases = fit_timestep_bias(ann, spiking, timesteps, images, rate, form)
    if form == "bias":
        return {name: bias[:1] for name, bias in biases.items()}
    return biases if timesteps == options.timesteps else without_bias_behind(biases)


def tune(
    ann: Program, spiking: Program, data: Samples, split: Split, options: Options, progress: Progress
) -> ExitTuning:
    """Run the calibration set through all timesteps once and fit the exit decision to it."""
    probed = run_passes(spiking, [probe_pass(ann, options.score, torch.ones(options.timesteps, dtype=ann.input_dtype))])
    model = SpikingModel(probed, options.timesteps, SCORE_POLICIES[options.score]((NEVER,)))
    model.to(options.device)
    target, step_time = _in_timesteps(model, data, options)
    with torch.no_grad():
        ann_logits = run_ann(ann, data, images_together(ann, options.batch_size), progress)
        counter = Counter(progress, "tuning the exit", len(data))
        images = (image for image, _ in data.batches(rows_together(probed, options.batch_size)))
        floor = rows_together(probed, ROW_FLOOR)  # rows are not added where fewer fill the memory
        run = run_all_timesteps(model, images, True, floor, counter.add)
    labels = None if data.labels is None else checked_labels(data, ann_logits.shape[-1])
    tuning = tune_exit(run, ann_logits, labels, split, target, options.score, options.certify)
    return replace(tuning, step_time=step_time)


def _in_timesteps(model: SpikingModel, data: Samples, options: Options) -> tuple[ExitTarget | None, StepTime | None]:
    """Return the target, a time turned into timesteps, and what stem and step cost where that had to be measured."""
    target = options.target
    if target is None or target.milliseconds is None:
        return target, None
    images = next(data.batches(rows_together(model.program, options.batch_size)))[0]
    found = time_for(target, model, images)
    return ExitTarget(timesteps=found.timesteps), found
