"""Measure what exits and certificates promise that were fitted to images of the training, or to new ones.

Run: ``python benchmarks/promises.py NAME=MODEL ... --training-data DATA --new-data DATA --mean A,B,C --std A,B,C
--output FILE``.

Each network is converted once, on a part of its training images. Its exits are then fitted again: to another part of
the training images, and to new images, with and without their labels. The new images are divided at random: one part
fits exits, the other judges all of them. So nothing is chosen on images that judge.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import torch
from measuring import named, output_option, outputs, save, table
from torch import Tensor

import seenn_convert as sc
from seenn_convert.artifact.schema.conversion import Conversion
from seenn_convert.artifact.schema.shared import AnnRight
from seenn_convert.cli.options import NUMBERS
from seenn_convert.exits.readouts import from_logits
from seenn_convert.ir.scores import confidence, scores_of
from seenn_convert.measure.ann_confidence import ann_confidence
from seenn_convert.measure.ann_gap import Answers, evaluation_gap
from seenn_convert.measure.certified import broken_words, check_certificate
from seenn_convert.measure.drift import exit_drift
from seenn_convert.measure.promises import check_target, likely_reason, target_words, with_reason
from seenn_convert.measure.reliability import calibration_error
from seenn_convert.runtime.memory import keep_pages
from seenn_convert.runtime.policies import exit_steps

TRAINING, OTHER, NEW, UNLABELLED = "calibration images", "other training images", "new images", "new images, no labels"
SAID = ("exits_assume_unseen", "certificate_assumes_unseen", "calibration_memorised", "ann_nearly_always_right")
"""Codes of what ``convert`` says of the images to which exits were fitted."""


@click.command()
@click.argument("networks", nargs=-1, required=True)
@click.option("--training-data", type=click.Path(path_type=Path), required=True)
@click.option("--new-data", type=click.Path(path_type=Path), required=True)
@click.option("--mean", type=NUMBERS)
@click.option("--std", type=NUMBERS)
@click.option("--images", type=int, default=1000, show_default=True, help="To calibrate, and to fit exits each time.")
@click.option("--judging-images", type=int, default=2500, show_default=True)
@click.option("--calibration", default="balanced", show_default=True)
@click.option("-T", "--timesteps", type=int, default=16, show_default=True)
@click.option("--drop", type=float, default=0.5, show_default=True)
@click.option("--epsilon", type=float, default=0.02, show_default=True)
@click.option("--delta", type=float, default=0.05, show_default=True)
@output_option
def main(networks: tuple[str, ...], output: Path, mean: Any, std: Any, **given: Any) -> None:
    """Measure NETWORKS, each as NAME=MODEL."""
    keep_pages()
    preprocessing = sc.Preprocessing(mean=mean, std=std)
    training = _parts(sc.open_dataset(given["training_data"], preprocessing), given["images"], given["images"])
    new = _parts(sc.open_dataset(given["new_data"], preprocessing), given["images"], given["judging_images"])
    certify = sc.Certify(given["epsilon"], given["delta"])
    options = sc.Options(
        timesteps=given["timesteps"], calibration=given["calibration"], target=sc.ExitTarget(drop=given["drop"]),
        certify=certify,
    )  # fmt: skip
    rows = []
    for name, model in named(networks):
        start = time.process_time()
        for row in measured(model, training, new, options):
            rows.append({"network": name, **row, "processor_seconds": time.process_time() - start})
            click.echo(f"{name}, {row['exits']}: {row['observed']:.2f} points lost", err=True)
            start = time.process_time()
    data = {"rows": rows, **{key: value for key, value in given.items() if not isinstance(value, Path)}}
    click.echo(save(output, data, _table(data)))


def measured(
    model: str, training: tuple[sc.Dataset, sc.Dataset], new: tuple[sc.Dataset, sc.Dataset], options: sc.Options
) -> Iterator[dict[str, Any]]:
    """Yield a row for each set of images to which the exits are fitted; the last images judge."""
    first, second = training
    fitted, judges = new
    artifact = sc.convert(model, first, options)
    found = outputs(artifact, judges)
    yield _row(TRAINING, artifact, found)
    images = torch.cat([image for image, _ in fitted.batches(256)])
    for exits, data in ((OTHER, second), (NEW, fitted), (UNLABELLED, sc.as_samples(images))):
        yield _row(exits, sc.recalibrate(artifact, options=options, exit_data=data), found)


def _parts(data: sc.Dataset, first: int, second: int) -> tuple[sc.Dataset, sc.Dataset]:
    """Return two parts of ``data`` without a common image, drawn at random."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0)).tolist()
    if first + second > len(order):
        raise click.UsageError(f"{data.name} has {len(order)} images, {first + second} are needed")
    return data.subset(sorted(order[:first])), data.subset(sorted(order[first : first + second]))


def _row(exits: str, artifact: sc.Artifact, found: dict[str, Tensor]) -> dict[str, Any]:
    """Return what was promised by an artifact, and what its exits do on the images that judge."""
    conversion, labels, ann = artifact.report.conversion, found["labels"], found["ann"]
    assert conversion is not None and conversion.certificate is not None
    temperatures = artifact.model().probe.temperatures
    readouts = from_logits(found["logits"], ann, labels)
    scores = scores_of(artifact.model().probe.score, found["logits"], temperatures)
    steps = exit_steps(artifact.policy, scores)
    answers, full = readouts.answers(steps), readouts.predictions[-1]
    right, ann_right = answers == labels, ann.argmax(dim=-1) == labels
    sure = confidence(_at(found["logits"], steps), temperatures[steps - 1].unsqueeze(-1))
    reason = _reason(artifact, ann, labels, steps)
    held_out, asked = conversion.exit.held_out, conversion.exit.target
    assert asked is not None
    found_target = check_target(asked.drop, held_out.expected_drop, ann_right, right, held_out.drop_error or 0.0)
    target = with_reason(found_target, reason)
    check = with_reason(check_certificate(conversion.certificate, answers, full, labels), reason)
    of = conversion.calibration.exits
    return {
        "exits": exits,
        "ann_right": None if of.ann_right is None else of.ann_right.share,
        "ann_sure": of.ann_confidence.average,
        "overconfidence": of.ann_confidence.overconfidence,
        "judging_ann_right": float(ann_right.double().mean()),
        "expected": held_out.expected_drop,
        "reached": conversion.exit.held_out.reached,
        "observed": target.observed,
        "observed_interval95": target.interval95,
        "target_holds": target.holds,
        "average_timesteps": float(steps.double().mean()),
        "upper_bound": conversion.certificate.upper_bound,
        "disagreement": check.observed,
        "disagreement_interval95": check.interval95,
        "certificate_holds": check.holds,
        "calibration_error": calibration_error(sure, right),
        "convert_says": _said(conversion),
        "evaluate_says": [
            *([] if target.holds else [target_words(target)]),
            *([] if check.holds else [broken_words(check)]),
        ],
    }


def _at(logits: Tensor, steps: Tensor) -> Tensor:
    """Return ``(N, K)``, the mean logits at the exit, of ``logits`` ``(T, N, K)`` and ``steps`` ``(N,)``, 1-based."""
    return logits[steps - 1, torch.arange(len(steps))]


def _reason(artifact: sc.Artifact, ann: Tensor, labels: Tensor, steps: Tensor) -> Any:
    """Return the likely reason if a promise fails, as ``evaluate`` finds it."""
    right = AnnRight(of="new", images=len(labels), right=int((ann.argmax(dim=-1) == labels).sum()))
    known = Answers(artifact.facts.ann_right, artifact.facts.ann_confidence)
    gap = evaluation_gap(known, Answers(right, ann_confidence(ann, labels)), ann.shape[-1])
    counts = torch.bincount(steps, minlength=artifact.timesteps + 1)[1:]
    before = artifact.facts.held_out_exits
    return likely_reason(gap, exit_drift(before and before.counts, dict(enumerate(counts.tolist(), 1))))


def _said(conversion: Conversion) -> list[str]:
    return [one.text for one in (*conversion.notes, *conversion.warnings) if one.code in SAID]


def _table(data: dict[str, Any]) -> str:
    """Return what came out: the figures as a table, and below it what was said in each case."""
    head = (
        "network", "exits fitted to", "ANN right there", "sure there", "too sure (standard errors)", "loss expected",
        "loss seen (95% CI)", "average timesteps", "certificate: bound", "disagreement seen (95% CI)",
        "calibration error",
    )  # fmt: skip
    parts = [_summary(data), table(head, (_cells(row) for row in data["rows"]))]
    for network in dict.fromkeys(row["network"] for row in data["rows"]):
        parts += [f"What is said of {network}:", _words([row for row in data["rows"] if row["network"] == network])]
    return "\n\n".join(parts)


def _summary(data: dict[str, Any]) -> str:
    seconds = sum(row["processor_seconds"] for row in data["rows"])
    new = ", ".join(f"{share:.1%} ({name})" for name, share in _shares(data).items())
    return (
        f"T = {data['timesteps']}, `{data['calibration']}`, {data['images']:,} images to calibrate and to fit exits, "
        f"{data['judging_images']:,} other new images to judge, on which the ANNs are right on {new}. Asked for: at "
        f"most {data['drop']:g} points below the ANN, and a certificate of at most {data['epsilon']:.0%} disagreement "
        f"(delta {data['delta']:.0%}). *Too sure*: standard errors by which the labels pull the ANN towards less "
        f"confidence; training leaves none on its own images, and above 3 the images are taken for new. (!) stands "
        f"where chance does not explain that a promise fails. {seconds:,.0f} s of processor time."
    )


def _shares(data: dict[str, Any]) -> dict[str, float]:
    return {row["network"]: row["judging_ann_right"] for row in data["rows"]}


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    (low, high), (least, most) = row["observed_interval95"], row["disagreement_interval95"]
    unlabelled, z = row["ann_right"] is None, row["overconfidence"]
    return (
        row["network"], row["exits"], "" if unlabelled else f"{row['ann_right']:.1%}", f"{row['ann_sure']:.1%}",
        "" if z is None else f"{z:.1f}", f"{row['expected']:.2f}{'' if row['reached'] else ' (not reached)'}",
        f"{row['observed']:.2f} ({low:.2f} to {high:.2f}){'' if row['target_holds'] else ' (!)'}",
        f"{row['average_timesteps']:.2f}", f"{row['upper_bound']:.2%}",
        f"{row['disagreement']:.2%} ({least:.2%} to {most:.2%}){'' if row['certificate_holds'] else ' (!)'}",
        f"{100 * row['calibration_error']:.1f} points",
    )  # fmt: skip


def _words(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        for command in ("convert", "evaluate"):
            lines += [f"- {row['exits']}, `{command}`: {words}" for words in row[f"{command}_says"] or ["nothing"]]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
