"""Evaluate an artifact on data that it has not seen: accuracy, exits, time, operations, energy."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from seenn_convert.analysis.coverage import policy_macs
from seenn_convert.analysis.frames import frames_of
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.provenance import reused, used_data
from seenn_convert.artifact.schema.evaluation import (
    ConfidenceFacts,
    EarlyExit,
    Evaluation,
    TargetCheck,
    TradeOffPoint,
)
from seenn_convert.artifact.schema.layers import LayerRow
from seenn_convert.artifact.schema.shared import NETWORK_WORDS, AnnRight, Caution, PolicyFacts
from seenn_convert.choices import Reference
from seenn_convert.data.checks import check_shape, checked_labels, classes_of, matched_classes
from seenn_convert.data.samples import Samples
from seenn_convert.devices import check_device
from seenn_convert.errors import PostconditionError
from seenn_convert.exits.readouts import Readouts
from seenn_convert.exits.thresholds import trade_off
from seenn_convert.ir.program import Program
from seenn_convert.measure.ann import run_ann
from seenn_convert.measure.ann_confidence import ann_confidence
from seenn_convert.measure.ann_gap import Answers, Gap, evaluation_gap
from seenn_convert.measure.certified import broken_words, check_certificate
from seenn_convert.measure.costs import costs, operation_shares
from seenn_convert.measure.data_cautions import byte_cautions
from seenn_convert.measure.diagnosis import diagnose
from seenn_convert.measure.drift import drift_words, exit_drift
from seenn_convert.measure.examples import examples
from seenn_convert.measure.intervals import wilson_interval
from seenn_convert.measure.one_pass import Seen, run_once
from seenn_convert.measure.promises import check_target, likely_reason, target_words, with_reason
from seenn_convert.measure.reliability import calibration_error, exit_confidence
from seenn_convert.measure.remedies import Settings
from seenn_convert.measure.spiking_warnings import more_energy
from seenn_convert.measure.suspicions import suspicions
from seenn_convert.progress import Progress, silent
from seenn_convert.runtime.early_exit import ExitTrace
from seenn_convert.runtime.policies import ExitPolicy, exit_steps, reads_plan

__all__ = ["check_shape", "checked_labels", "classes_of", "measure", "run_ann"]

ROUNDING_SHARE = 0.01
"""Share of images at which early exit may differ from hindsight before it counts as a defect, except in single
precision on a CPU, where none may: there the row floor keeps the order of summation; other kernels sum in an order that
depends on the batch and flip a spike now and then."""


def measure(
    artifact: Artifact,
    data: Samples,
    batch_size: int = 256,
    device: torch.device | str = "cpu",
    ann: Program | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Return how good the network is on ``data``, with the warnings that a reader needs.

    Args:
        artifact: What ``convert`` made.
        data: Labelled images that were used for nothing else.
        batch_size: Rows that run together at most; fewer where their state is large, or the images are few.
        device: Where to run.
        ann: The ANN to compare with; the artifact's own where None, or all timesteps where it has none.
        progress: Told about each stage.

    Raises:
        InputError: No labels, labels out of range, unknown classes, images of the wrong shape, or no such device.
        PostconditionError: Early exit does not agree with hindsight.
    """
    data = matched_classes(data, artifact.class_names, classes_of(artifact.snn))
    labels = checked_labels(data, classes_of(artifact.snn))
    check_shape(data, artifact.snn.input_shape)
    check_device(device)
    model = artifact.model().to(device)
    ann = ann or artifact.reference
    for program in (ann, artifact.reference):
        if program is not None:
            program.graph_module.to(device)
    with torch.no_grad():
        seen = run_once(ann, artifact.reference, model, data, batch_size, progress)
    reference: Reference = "full_run" if ann is None else "ann"
    other = ann if artifact.reference is None else None
    run, trace, counts = replace(seen.run, labels=labels), seen.trace, seen.counts
    exact = model.device.type == "cpu" and model.dtype is torch.float32
    differing = _compare_with_hindsight(run, trace, artifact.policy, 0.0 if exact else ROUNDING_SHARE)
    layers, planning = _layers(artifact, seen), policy_macs(artifact.snn) if reads_plan(artifact.policy) else 0
    early = early_exit_facts(trace, labels, artifact.timesteps)
    operations, energy = costs(artifact.ann, counts, trace.exit_step, planning, reference, other)
    certificate, full = artifact.certificate, run.predictions[-1]
    ann_right = seen.ann_logits.argmax(dim=-1) == labels
    here = AnnRight(of="new", images=len(data), right=int(ann_right.sum()))
    used = used_data(data)
    found = Evaluation(
        data=used.facts,
        policy=PolicyFacts.of(artifact.policy.to_json()),
        ann_accuracy=None if ann is None else here.share,
        accuracy_at={t: float(right.double().mean()) for t, right in enumerate(run.right, 1)},
        early_exit=early,
        confidence=confidence_facts(trace, model.probe.temperatures, labels),
        target=_target(artifact, ann_right, trace.predictions == labels),
        certificate=check_certificate(certificate, trace.predictions, full, labels) if certificate else None,
        exit_drift=exit_drift(_held_out_counts(artifact), early.exit_counts),
        differs_from_hindsight=differing,
        milliseconds_per_image=seen.milliseconds,
        timing=seen.timing,
        operations=operations,
        energy=energy,
        trade_off=tuple(
            TradeOffPoint(threshold=threshold, accuracy=accuracy, average_timesteps=average)
            for threshold, accuracy, average in trade_off(run.scores, run.right)
        ),
        layers=layers,
        diagnosis=diagnose(layers, Settings.of(artifact)),
        examples=examples(trace, data, frames_of(artifact.snn)),
    )
    doubts = tuple(suspicions(ann, data, seen.ann_logits, range(len(data))))
    known = _known(artifact) if ann is artifact.reference else Answers()
    origin = artifact.provenance
    again = reused(origin.calibration, origin.policy, used, origin.validation, origin.finetuning)
    answers = Answers(here, ann_confidence(seen.ann_logits, labels))
    gap = evaluation_gap(known, answers, seen.ann_logits.shape[-1], (*again, *doubts), NETWORK_WORDS[reference])
    reason = likely_reason(gap, found.exit_drift, answers.otherwise_sure(known))
    found = replace(found, target=with_reason(found.target, reason), certificate=with_reason(found.certificate, reason))
    return replace(found, warnings=(*_warnings(artifact, found, again, gap), *doubts, *byte_cautions(data)))


def _warnings(artifact: Artifact, found: Evaluation, again: Iterable[Caution], gap: Gap | None) -> Iterator[Caution]:
    if found.differs_from_hindsight:
        yield Caution(
            "differs_from_hindsight",
            f"{found.differs_from_hindsight} images left at another step than hindsight says: this machine's "
            "kernels round differently for batches of different size",
        )
    yield from again
    if gap is not None:
        yield gap.caution
    if found.exit_drift is not None and found.exit_drift.drifted:
        yield Caution("exit_drift", drift_words(found.exit_drift, gap is not None))
    if found.certificate is not None and not found.certificate.holds:
        yield Caution("certificate_fails", broken_words(found.certificate, found.reference))
    if found.target is not None and not found.target.holds:
        yield Caution("target_fails", target_words(found.target, found.reference))
    yield from more_energy(artifact.ann, found.energy.nanojoule_per_image, "these images")


def _compare_with_hindsight(run: Readouts, trace: ExitTrace, policy: ExitPolicy, allowed: float) -> int:
    """Return for how many images early exit differs from running everything and choosing afterwards: 0 as a rule.

    Raises:
        PostconditionError: They are more than ``allowed``, a share of the images.
    """
    steps = exit_steps(policy, run.scores, planned=None if run.plan is None else run.planned())
    differing = int(((steps != trace.exit_step) | (run.answers(steps) != trace.predictions)).sum())
    if differing > allowed * len(steps):
        raise PostconditionError(f"early exit and hindsight differ for {differing} of {len(steps)} images")
    return differing


def early_exit_facts(trace: ExitTrace, labels: Tensor, timesteps: int) -> EarlyExit:
    """Return how often early exit is right, and when images left; ``labels`` ``(N,)``."""
    right = int((trace.predictions == labels).sum())
    counts = torch.bincount(trace.exit_step, minlength=timesteps + 1)[1:]
    return EarlyExit(
        accuracy=right / len(labels),
        interval95=wilson_interval(right, len(labels)),
        average_timesteps=trace.average_timesteps,
        exit_counts=dict(enumerate(counts.tolist(), 1)),
    )


def confidence_facts(trace: ExitTrace, temperatures: Tensor, labels: Tensor) -> ConfidenceFacts:
    """Return how honest the probabilities at the exits are; ``temperatures`` ``(T,)``, ``labels`` ``(N,)``."""
    sure = exit_confidence(trace, temperatures).float()
    return ConfidenceFacts(
        average=float(sure.double().mean()), calibration_error=calibration_error(sure, trace.predictions == labels)
    )


def _held_out_counts(artifact: Artifact) -> Mapping[int, int] | None:
    """Return how many held-out calibration images left at each timestep, None if the artifact does not know."""
    known = artifact.facts.held_out_exits
    return None if known is None or known.policy != PolicyFacts.of(artifact.policy.to_json()) else known.counts


def _known(artifact: Artifact) -> Answers:
    """Return what the artifact knows of the ANN's answers on the images to which its exits were fitted."""
    facts = artifact.facts
    return Answers(facts.ann_right, facts.ann_confidence, are_new=artifact.provenance.validation is not None)


def _target(artifact: Artifact, ann_right: Tensor, right: Tensor) -> TargetCheck | None:
    """Return what early exit loses against what was asked for, None if the artifact does not know what to expect."""
    known, asked = artifact.facts.held_out_exits, artifact.provenance.options.get("target")
    if known is None or known.expected_drop is None or known.policy != PolicyFacts.of(artifact.policy.to_json()):
        return None
    drop = None if asked is None else asked.get("drop")
    return check_target(drop, known.expected_drop, ann_right, right, known.drop_error or 0.0)


def _layers(artifact: Artifact, seen: Seen) -> tuple[LayerRow, ...]:
    """Return the table of neuron layers, with the share of the operations each causes and its dead channels."""
    shares, known = operation_shares(artifact, seen.counts), artifact.provenance.calibration
    dead = {} if known is None else {name: len(x.dead_channels) for name, x in known.thresholds.layers.items()}
    return tuple(
        replace(row, operation_share=shares.get(row.name, 0.0), dead_channels=dead.get(row.name, 0))
        for row in seen.layers
    )
