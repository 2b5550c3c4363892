"""Measure what exits and certificates promise that were fitted to images of the training, or to new ones.

Run: ``python benchmarks/promises.py NAME=MODEL ... --training-data DATA --new-data DATA --mean A,B,C --std A,B,C
--output FILE``.

Each network is converted once, on a part of its training images, and runs once over each set of images; ``--cache``
keeps what it gave. Exits are then fitted for the target alone, and for the certificate alone: to the calibration
images, to another part of the training images, and to new images, with and without their labels. The new images are
divided at random: one part fits exits, the other judges all of them. So nothing is chosen on images that judge.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import torch
from measuring import kept, named, output_option, outputs, save, table
from torch import Tensor

import seenn_convert as sc
from seenn_convert.artifact.schema.conversion import CalibrationFacts, ValidationFacts
from seenn_convert.artifact.schema.evaluation import Reason
from seenn_convert.artifact.schema.shared import AnnRight
from seenn_convert.cli.options import NUMBERS
from seenn_convert.exits.readouts import from_logits
from seenn_convert.exits.tune import ExitTuning, split_calibration, tune_exit
from seenn_convert.ir.scores import CONFIDENCE, confidence, scores_of
from seenn_convert.measure.ann_confidence import ann_confidence
from seenn_convert.measure.ann_gap import Answers, conversion_gap, conversion_notes, evaluation_gap
from seenn_convert.measure.certified import broken_words, check_certificate
from seenn_convert.measure.drift import exit_drift
from seenn_convert.measure.promises import check_target, likely_reason, target_words, with_reason
from seenn_convert.measure.reliability import calibration_error
from seenn_convert.runtime.memory import keep_pages

TRAINING, OTHER, NEW, UNLABELLED = "calibration images", "other training images", "new images", "new images, no labels"
JUDGING = "judging images"


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
@click.option("--cache", type=click.Path(path_type=Path), help="Folder of networks and outputs: read, else written.")
@output_option
def main(networks: tuple[str, ...], output: Path, mean: Any, std: Any, cache: Path | None, **given: Any) -> None:
    """Measure NETWORKS, each as NAME=MODEL."""
    keep_pages()
    preprocessing = sc.Preprocessing(mean=mean, std=std)
    training = _parts(sc.open_dataset(given["training_data"], preprocessing), given["images"], given["images"])
    new = _parts(sc.open_dataset(given["new_data"], preprocessing), given["images"], given["judging_images"])
    asked = sc.ExitTarget(drop=given["drop"]), sc.Certify(given["epsilon"], given["delta"])
    options = sc.Options(timesteps=given["timesteps"], calibration=given["calibration"], target=asked[0])
    rows = []
    for name, model in named(networks):
        data = dict(zip((TRAINING, OTHER, NEW, JUDGING), (*training, *new), strict=True))
        found = runs(name, model, data, options, cache)
        rows += [{"network": name, **row} for row in rows_of(data, found, *asked)]
    told = {"rows": rows, **{key: value for key, value in given.items() if not isinstance(value, Path)}}
    click.echo(save(output, told, _table(told)))


def runs(
    name: str, model: str, data: dict[str, sc.Dataset], options: sc.Options, cache: Path | None
) -> dict[str, dict[str, Any]]:
    """Return mean logits, the ANN's, and labels, of the network converted on the calibration images, for each set."""
    folder = None if cache is None else cache / name
    known = folder is not None and folder.exists()
    artifact = sc.load_artifact(folder) if known else sc.convert(model, data[TRAINING], options)  # type: ignore[arg-type]
    if folder is not None and not known:
        artifact.save(folder)
    return {part: kept(cache, f"{name}_{part}", lambda part=part: outputs(artifact, data[part])) for part in data}


def rows_of(
    data: dict[str, sc.Dataset], found: dict[str, dict[str, Any]], target: sc.ExitTarget, certify: sc.Certify
) -> Iterator[dict[str, Any]]:
    """Yield a row for each set of images to which exits are fitted."""
    for exits, part, labelled in (
        (TRAINING, TRAINING, True), (OTHER, OTHER, True), (NEW, NEW, True), (UNLABELLED, NEW, False),
    ):  # fmt: skip
        seen = found[part]
        readouts = from_logits(seen["logits"], seen["ann"], seen["labels"] if labelled else None)
        split = split_calibration(len(seen["ann"]), seed=0)
        facts = _facts(data[TRAINING], found[TRAINING], None if part is TRAINING else seen, labelled)
        tunings = [
            tune_exit(readouts, split, *asked) for asked in ((target, CONFIDENCE, None), (None, CONFIDENCE, certify))
        ]
        yield {"exits": exits, **_row(facts, tunings[0], tunings[1], found[JUDGING], target)}


def _parts(data: sc.Dataset, first: int, second: int) -> tuple[sc.Dataset, sc.Dataset]:
    """Return two parts of ``data`` without a common image, drawn at random."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0)).tolist()
    if first + second > len(order):
        raise click.UsageError(f"{data.name} has {len(order)} images, {first + second} are needed")
    return data.subset(sorted(order[:first])), data.subset(sorted(order[first : first + second]))


def _facts(data: sc.Dataset, own: dict[str, Any], other: dict[str, Any] | None, labelled: bool) -> CalibrationFacts:
    """Return what a conversion knows of the ANN on the calibration images and on ``other`` images, if there are any."""
    split = split_calibration(len(data), seed=0)
    sizes = {"fitting_images": len(split.fitting), "held_out_images": len(split.held_out)}
    exits = None if other is None else ValidationFacts(
        name="exits", images=len(other["ann"]), **sizes, ann_right=_right("validation", other) if labelled else None,
        ann_confidence=ann_confidence(other["ann"], other["labels"] if labelled else None),
    )  # fmt: skip
    return CalibrationFacts(
        name="own", images=len(data), labelled=labelled, **sizes, ann_right=_right("calibration", own),
        ann_confidence=ann_confidence(own["ann"], own["labels"]), validation=exits,
    )  # fmt: skip


def _right(of: Any, found: dict[str, Any]) -> AnnRight:
    labels = found["labels"]
    return AnnRight(of=of, images=len(labels), right=int((found["ann"].argmax(dim=-1) == labels).sum()))


def _row(
    facts: CalibrationFacts, aimed: ExitTuning, certified: ExitTuning, judging: dict[str, Any], asked: sc.ExitTarget
) -> dict[str, Any]:
    """Return what was promised by two choices of exits, and what they do on the images that judge."""
    ann_right, certificate = judging["ann"].argmax(dim=-1) == judging["labels"], certified.certificate
    assert certificate is not None
    steps, answers, full = _exits(aimed, judging)
    right = answers == judging["labels"]
    sure = confidence(_at(judging["logits"], steps), aimed.temperatures[steps - 1].unsqueeze(-1))
    target = check_target(asked.drop, aimed.choice.expected_drop, ann_right, right, aimed.choice.drop_error)
    target = with_reason(target, _reason(facts, aimed, judging, steps))
    certified_steps, certified_answers, _ = _exits(certified, judging)
    check = check_certificate(certificate, certified_answers, full, judging["labels"])
    check = with_reason(check, _reason(facts, certified, judging, certified_steps))
    of = facts.exits
    assert of.ann_confidence is not None
    return {
        "ann_right": None if of.ann_right is None else of.ann_right.share,
        "ann_sure": of.ann_confidence.average,
        "overconfidence": of.ann_confidence.overconfidence,
        "judging_ann_right": float(ann_right.double().mean()),
        "expected": aimed.choice.expected_drop,
        "reached": aimed.choice.reached,
        "observed": target.observed,
        "observed_interval95": target.interval95,
        "target_holds": target.holds,
        "average_timesteps": float(steps.double().mean()),
        "calibration_error": calibration_error(sure, right),
        "upper_bound": certificate.upper_bound,
        "disagreement": check.observed,
        "disagreement_interval95": check.interval95,
        "certificate_holds": check.holds,
        "certified_timesteps": float(certified_steps.double().mean()),
        "convert_says": _said(facts, certified=True),
        "evaluate_says": [
            *([] if target.holds else [target_words(target)]),
            *([] if check.holds else [broken_words(check)]),
        ],
    }


def _exits(tuning: ExitTuning, judging: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
    """Return when the judging images leave, 1-based, with which answers, and those of the full run, ``(N,)`` each."""
    scores = scores_of(CONFIDENCE, judging["logits"], tuning.temperatures)
    steps, readouts = (
        tuning.choice.exit_steps(scores),
        from_logits(judging["logits"], judging["ann"], judging["labels"]),
    )
    return steps, readouts.answers(steps), readouts.predictions[-1]


def _at(logits: Tensor, steps: Tensor) -> Tensor:
    """Return ``(N, K)``, the mean logits at the exit, of ``logits`` ``(T, N, K)`` and ``steps`` ``(N,)``, 1-based."""
    return logits[steps - 1, torch.arange(len(steps))]


def _reason(facts: CalibrationFacts, tuning: ExitTuning, judging: dict[str, Any], steps: Tensor) -> Reason:
    """Return the likely reason if a promise fails, as ``evaluate`` finds it."""
    known = Answers(facts.exits.ann_right, facts.exits.ann_confidence, facts.validation is not None)
    here = Answers(_right("new", judging), ann_confidence(judging["ann"], judging["labels"]))
    counts = torch.bincount(steps - 1, minlength=len(tuning.exit_counts)).tolist()
    drift = exit_drift(dict(enumerate(tuning.exit_counts, 1)), dict(enumerate(counts, 1)))
    return likely_reason(evaluation_gap(known, here, judging["ann"].shape[-1]), drift)


def _said(facts: CalibrationFacts, certified: bool, classes: int = 10) -> list[str]:
    """Return what ``convert`` says of the images to which exits were fitted."""
    return [
        one.text for one in (*conversion_notes(facts, None, certified, classes), *conversion_gap(facts, None, classes))
    ]


def _table(data: dict[str, Any]) -> str:
    """Return what came out: the figures as a table, and below it what was said in each case."""
    head = (
        "network", "exits fitted to", "ANN right there", "sure there", "too sure (standard errors)", "loss expected",
        "loss seen (95% CI)", "average timesteps", "calibration error", "certified: bound",
        "disagreement seen (95% CI)", "average timesteps",
    )  # fmt: skip
    parts = [_summary(data), table(head, (_cells(row) for row in data["rows"]))]
    for network in dict.fromkeys(row["network"] for row in data["rows"]):
        parts += [f"What is said of {network}:", _words([row for row in data["rows"] if row["network"] == network])]
    return "\n\n".join(parts)


def _summary(data: dict[str, Any]) -> str:
    new = ", ".join(f"{share:.1%} ({name})" for name, share in _shares(data).items())
    return (
        f"T = {data['timesteps']}, `{data['calibration']}`, {data['images']:,} images to calibrate and to fit exits, "
        f"{data['judging_images']:,} other new images to judge, on which the ANNs are right on {new}. Exits were "
        f"fitted twice: for at most {data['drop']:g} points below the ANN, and for a certificate of at most "
        f"{data['epsilon']:.0%} disagreement (delta {data['delta']:.0%}). *Too sure*: standard errors by which "
        "the labels pull the ANN towards less confidence; training leaves none on its own images, and above 3 the "
        "images are taken for new. (!) stands where chance does not explain that a promise fails."
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
        f"{row['average_timesteps']:.2f}", f"{100 * row['calibration_error']:.1f} points", f"{row['upper_bound']:.2%}",
        f"{row['disagreement']:.2%} ({least:.2%} to {most:.2%}){'' if row['certificate_holds'] else ' (!)'}",
        f"{row['certified_timesteps']:.2f}",
    )  # fmt: skip


def _words(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        for command in ("convert", "evaluate"):
            lines += [f"- {row['exits']}, `{command}`: {words}" for words in row[f"{command}_says"] or ["nothing"]]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
