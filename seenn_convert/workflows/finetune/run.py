"""Fine-tune a converted network through time: the same network, right earlier."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from seenn_convert.artifact.artifact import Artifact, as_artifact
from seenn_convert.artifact.files import sha256_of_json
from seenn_convert.artifact.provenance import overlap, used_data
from seenn_convert.artifact.schema.finetuning import FinetuneFacts, Look
from seenn_convert.artifact.schema.shared import UsedData
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.data.checks import check_shape, checked_classes, classes_of
from seenn_convert.data.samples import Samples
from seenn_convert.errors import InputError
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.ir.program import Program
from seenn_convert.progress import Counter, Progress, silent
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.training.keeping import save_state, saved_state
from seenn_convert.training.objectives import OBJECTIVES
from seenn_convert.training.spike_cost import spike_cost
from seenn_convert.training.through_time import Teaching, Training
from seenn_convert.training.unrolled import Unrolled
from seenn_convert.workflows.convert.inputs import Model
from seenn_convert.workflows.convert.known import Known
from seenn_convert.workflows.convert.options import options_from_json
from seenn_convert.workflows.convert.refit import exit_images, refit_exits
from seenn_convert.workflows.finetune.images import Images, divided
from seenn_convert.workflows.finetune.judge import Judge
from seenn_convert.workflows.finetune.length import batches_of, updates_of
from seenn_convert.workflows.finetune.options import FinetuneOptions
from seenn_convert.workflows.finetune.origin import check_new, origin_of, with_gain
from seenn_convert.workflows.finetune.teacher import Teacher, teacher_of
from seenn_convert.workflows.finetune.trainable import trainable

LOOKS = 12
"""How often held-out images are looked at."""

KEPT_EVERY = 100
"""Updates between two times that the training is written to its file."""


@torch.inference_mode(False)  # a caller's inference mode would leave no gradients
def finetune(
    artifact: Artifact | Path | str,
    data: SampleData,
    options: FinetuneOptions = FinetuneOptions(),
    progress: Progress = silent,
    *,
    teacher: Program | Model | None = None,
    exit_data: SampleData | None = None,
    state: Path | str | None = None,
) -> Artifact:
    """Return the artifact with its network trained through time, and its exits fitted again.

    Training starts from the converted network: weights, thresholds, initial potentials and timestep biases move so that
    the answers of every prefix of a run come closer to the ANN's, or to labels. A part of the
    images trains nothing and fits the exits. A part of the exit images, if there are any, says which state of the
    training is kept; else it is the last one.

    Args:
        artifact: What ``convert`` made, or its folder.
        data: Images to train on as ``convert`` takes them, never the test set; the more the better.
        options: How.
        progress: Told about each stage.
        teacher: The ANN whose answers are followed, a program or what ``convert`` takes; the artifact's own if None, or
            for an adopted network its own answers after all timesteps. A better one of the same classes and the same
            input is worth more.
        exit_data: Images that neither the ANN nor this training has seen; exits and certificate are fitted to them.
        state: File in which the training is kept on its way: it goes on from there if the file is there. Remove it
            once the result is written.

    Raises:
        InputError: The data does not fit the network, or there is too little of it; or the exits cannot be fitted to
            the exit images. All of this is found before training.
    """
    artifact = as_artifact(artifact)
    data = _samples(artifact, data, progress)
    timesteps = options.timesteps or artifact.timesteps
    if timesteps > artifact.timesteps:
        raise InputError(
            f"the artifact runs for at most {artifact.timesteps} timesteps, got {timesteps}; convert it with "
            f"-T {timesteps} first"
        )
    target = options_from_json(artifact.provenance.options).target
    if target is not None and (target.timesteps or 0) > timesteps:
        raise InputError(
            f"the exits of the artifact aim for {target.timesteps:g} timesteps on average, and -T {timesteps} allows "
            "fewer; fit them for another target first (seenn-convert calibrate ARTIFACT --target-drop 0.5 --exit-data "
            "IMAGES), or give a larger -T (timesteps)"
        )
    if options.precision != "float32" and artifact.snn.input_dtype != torch.float32:
        raise InputError(
            f"the network computes in float64, which precision={options.precision!r} leaves as it is; leave it out"
        )
    images = divided(artifact, data, options, None if exit_data is None else _samples(artifact, exit_data, progress))
    used, changed = used_data(data), {**artifact.provenance.options, "timesteps": timesteps}
    planned = replace(artifact, provenance=replace(artifact.provenance, options=changed))
    refitting = options_from_json(changed, calibration_images=0)  # all that are given fit the exits
    exits = exit_images(planned, refitting, Known(exit_data=images.exits), progress)
    if exit_data is not None and (overlap(used_data(exits), used) or overlap(used_data(images.judging), used)):
        raise InputError(
            f"{exits.name}: exit images are among {data.name}, which train the network; give images that are used for "
            "nothing else, or leave out --exit-data (exit_data): a part of the others is kept for the exits then"
        )
    settled, before = replace(options, timesteps=timesteps), artifact.provenance.finetuning
    check_new(images, before)
    artifact = replace(artifact, snn=trainable(artifact.snn, settled))
    followed = teacher_of(artifact, teacher, timesteps)
    of = _name_of(artifact, followed, images, used, settled)
    training, ann_right = _trained(artifact, followed, images, settled, progress, state, of)
    origin = origin_of(used, images, before, settled)
    conversion = artifact.report.conversion
    if conversion is not None:
        conversion = replace(conversion, finetuning=_facts(training, images, options, ann_right))
    fresh = replace(
        artifact,
        snn=replace(training.settled(), policy_head=artifact.snn.policy_head),  # refitting says that it is gone
        timesteps=timesteps,
        policy=FixedPolicy(timesteps),
        provenance=replace(artifact.provenance, options=changed, policy=None, finetuning=origin),
        report=replace(artifact.report, conversion=conversion, evaluation=None),
    )
    return with_gain(refit_exits(fresh, refitting, Known(exit_data=exits), progress), changed, training)


@contextmanager
def _kept_in(file: Path) -> Iterator[None]:
    """Say what to do where the training cannot be kept in its file."""
    try:
        yield
    except OSError as error:
        goes_on = "make room and run the same again: it goes on"
        advice = goes_on if file.exists() else "make room, or choose another place"
        raise InputError(f"{file} cannot be written ({error.strerror or error}); {advice}") from error


def _trained(
    artifact: Artifact,
    teacher: Teacher,
    images: Images,
    options: FinetuneOptions,
    progress: Progress,
    state: Path | str | None,
    of: str,
) -> tuple[Training, float]:
    """Return the training at its end, and the share of the judging images that the teacher gets right.

    What is in the file ``state`` has to be ``of`` the same training.
    """
    assert options.timesteps is not None
    network = Unrolled(artifact.snn, spike_cost(artifact.snn) if options.spike_penalty else None).to(options.device)
    teacher.module.to(options.device)
    judge = Judge(teacher, images, options, _target(artifact))
    teaching = Teaching(
        teacher, OBJECTIVES[options.objective], options.timesteps, options.mirror,
        getattr(torch, options.precision), options.recompute, options.seed, options.spike_penalty,
    )  # fmt: skip
    file = None if state is None else Path(state)
    saved = None if file is None else saved_state(file, of, options.device)
    training = _begun(network, teaching, judge, images, options, saved)
    course = training.course
    counter = Counter(progress, "training", course.updates)
    counter.add(course.done)
    looks = {max(1, round(course.updates * n / LOOKS)) for n in range(1, LOOKS + 1)}
    begun = time.perf_counter() - training.seconds

    def keep() -> None:
        if file is not None:
            with _kept_in(file):
                save_state(file, of, training.to_save())

    def behind(done: int) -> None:
        training.seconds = time.perf_counter() - begun
        if done in looks:
            training.looked(**judge(network))
        if done in looks or done % KEPT_EVERY == 0:
            keep()
        counter.add(1)

    keep()  # a place that cannot be written is refused before the first update
    batches = batches_of(images, options, course.done)
    teaching = replace(teaching, quantised=training.quantised)
    course.run(batches, lambda batch: teaching.loss(network, batch, training.shares), behind)
    return training, judge.teacher_right


def _samples(artifact: Artifact, given: SampleData, progress: Progress) -> Samples:
    """Return images that the network takes, with its classes."""
    data = as_samples(given, artifact.preprocessing, progress=progress, input_shape=artifact.snn.input_shape)
    data = checked_classes(data, artifact.class_names, classes_of(artifact.snn))
    check_shape(data, artifact.snn.input_shape)
    return data


def _target(artifact: Artifact) -> ExitTarget | None:
    """Return what the exits of an artifact aim for; None if that is a time."""
    target = options_from_json(artifact.provenance.options).target
    return None if target is None or target.milliseconds is not None else target


def _facts(training: Training, images: Images, options: FinetuneOptions, ann_right: float) -> FinetuneFacts:
    course = training.course
    return FinetuneFacts(
        objective=options.objective,
        labelled=options.use_labels and images.data.labels is not None,
        images=len(images.training),
        judging_images=len(images.judging),
        updates=course.done,
        quantised_updates=training.quantised,
        batch_size=min(options.batch_size, len(images.training)),
        learning_rate=options.learning_rate,
        left_out=course.left_out,
        minutes=training.seconds / 60,
        ann_accuracy=ann_right,
        looks=tuple(Look(**{**look, "accuracy_at": tuple(look["accuracy_at"])}) for look in training.history),
        kept=training.kept,
    )


def _begun(
    network: Unrolled,
    teaching: Teaching,
    judge: Judge,
    images: Images,
    options: FinetuneOptions,
    saved: Mapping[str, Any] | None,
) -> Training:
    """Return the training before its first update, or as far as it was ``saved``."""
    if saved is not None:
        updates, shares = saved["course"]["updates"], saved["shares"]
        training = Training.of(network, updates, options.learning_rate, shares, chooses=images.fresh)
        training.go_on(saved)
        return training
    seen = judge(network)
    quantised, through_time = updates_of(teaching, network, images, options, seen["shares"])
    updates, shares = quantised + through_time, seen["shares"]
    training = Training.of(network, updates, options.learning_rate, shares, quantised, images.fresh)
    training.looked(**seen)
    return training


def _name_of(artifact: Artifact, teacher: Teacher, images: Images, used: UsedData, options: FinetuneOptions) -> str:
    """Return what a training that goes on must have in common with the one that began."""
    graphs = {"network": artifact.snn.graph_module, "teacher": teacher.module}
    weights = {
        f"{graph}.{name}": float(value.double().sum())
        for graph, module in graphs.items()
        for name, value in module.state_dict().items()
    }
    return sha256_of_json({
        "options": options.to_json(), "images": used.fingerprint, "judging": used_data(images.judging).fingerprint,
        "weights": weights, "target": artifact.provenance.options.get("target"),
    })  # fmt: skip
