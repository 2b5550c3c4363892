"""Compare exit rules on an artifact: thresholds (SEENN-I), plans before the run (SEENN-II), and both together.

Run: ``python benchmarks/policy.py NAME=ARTIFACT ... --calibration-data DATA --test-data DATA --mean a,b,c ...``.
The heads are trained on the calibration images; a part of them that trained nothing chooses, for each rule, the point
of each ``--average``. The test images only judge. ``--readouts`` keeps what the network showed, for another run.
"""

import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch
from measuring import data_options, images_of, kept, named, open_data, rows_in, save, share, table
from torch import Tensor

import seenn_convert as sc
from seenn_convert.analysis.coverage import call_sites, policy_macs
from seenn_convert.exits.choose import Setting, choose
from seenn_convert.exits.plan_choice import decide
from seenn_convert.exits.readouts import Readouts
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exits.tune import split_calibration
from seenn_convert.ir.program import Program
from seenn_convert.passes.attach_policy import AttachPolicy
from seenn_convert.passes.base import run_passes
from seenn_convert.progress import silent
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.memory import keep_pages
from seenn_convert.workflows.add_planner.run import HELD_OUT_SHARE, bare_network, untrained_head
from seenn_convert.workflows.add_planner.stages import collect, planned_by, train

WAYS = ("fixed", "score", "planned", "both")
BATCH, REPEATS, LOOKED_AT = 32, 3, 64


@click.command()
@click.argument("artifacts", nargs=-1, required=True)
@data_options
@click.option("--average", "averages", type=float, multiple=True, default=(2.0, 3.0, 4.0, 6.0, 8.0), show_default=True)
@click.option("--timed-images", type=int, default=256, show_default=True)
@click.option("--readouts", type=click.Path(path_type=Path), help="Folder to keep them in.")
@click.option("--append", is_flag=True, help="Keep the networks that OUTPUT.json has.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/policy"), show_default=True)
def main(artifacts: tuple[str, ...], output: Path, append: bool, **given: Any) -> None:
    """Measure ARTIFACTS, each as NAME=FOLDER."""
    keep_pages()
    rows = rows_in(output) if append else []
    for name, folder in named(artifacts):
        rows = [row for row in rows if row["network"] != name] + [_measure(name, Path(folder), given)]
        save(output, {"rows": rows}, _table(rows))
    click.echo(_table(rows))


def _measure(name: str, folder: Path, given: dict[str, Any]) -> dict[str, Any]:
    artifact, (calibration, test) = sc.load_artifact(folder), open_data(given)
    options = sc.PolicyOptions()
    plan, model = untrained_head(artifact, options), bare_network(artifact, options)
    start = time.perf_counter()
    collect(artifact.ann, model, plan, calibration.take(LOOKED_AT), options, silent)
    each = (time.perf_counter() - start) / min(LOOKED_AT, len(calibration))
    seen, judged = (
        Readouts(**kept(given["readouts"], f"{name}_{part}_{len(data)}", lambda data=data: vars(
            collect(artifact.ann, model, plan, data, options, silent))))
        for part, data in (("calibration", calibration), ("test", test))
    )  # fmt: skip
    split = split_calibration(len(calibration), options.seed, HELD_OUT_SHARE)
    seen = seen.with_ann_temperature(split.fitting)
    heads = train(plan, seen, split, options, silent)
    assert judged.features is not None
    planned = planned_by(heads.heads, judged.features)
    ways = decide(seen, heads.planned, split, True, ExitTarget(timesteps=1e9)).ways
    points = []
    for average in given["averages"]:
        for way in WAYS:
            choices = [c for w in WAYS[1:] for c in ways[w]] if way == "both" else ways[way]
            choice = choose(choices, ExitTarget(timesteps=average))
            points.append({"average": average, "way": way, **_judge(choice, judged, planned)})
            points[-1]["choice"] = choice
    bare = replace(artifact.snn, policy_head=None)
    programs = [run_passes(bare, [AttachPolicy(head, artifact.timesteps)]) for head in heads.heads]
    _time(points, artifact, programs, test.take(given["timed_images"]))
    step = sum(site.macs for site in call_sites(artifact.ann) if site.treatment != "stem")
    return {
        "network": name,
        "ann_accuracy": share(judged.ann_answers, judged.truth),
        "accuracy_at": [share(answers, judged.truth) for answers in judged.predictions],
        "calibration_images": len(calibration),
        "test_images": len(test),
        "timed_images": given["timed_images"],
        "head_macs": policy_macs(programs[0]),
        "head_share_of_timestep": policy_macs(programs[0]) / step,
        "training_seconds": heads.seconds,
        "readouts_seconds": each * len(calibration),
        "training_seconds_without_cache": each * len(calibration) * options.epochs + heads.seconds,
        "points": points,
    }


def _judge(choice: Setting, judged: Readouts, planned: Tensor) -> dict[str, Any]:
    """Return accuracy and average timesteps of a choice on the test images."""
    step = choice.exit_steps(judged.scores, None if choice.head is None else planned[choice.head])
    used = [word for word, is_used in (("plan", choice.head is not None), ("score", choice.thresholds is not None))
            if is_used]  # fmt: skip
    return {
        "accuracy": share(judged.answers(step), judged.truth),
        "timesteps": float(step.double().mean()),
        "used": used,
    }


def _time(points: list[dict[str, Any]], artifact: sc.Artifact, programs: list[Program], images: sc.Dataset) -> None:
    """Add milliseconds per image to each point: medians of runs in turn, the policy head included.

    They are processor time, divided by the threads: other programs on the machine then matter little.
    """
    batches = list(images_of(images, BATCH))
    models = []
    score = artifact.model().probe.score_name
    for point in points:
        choice = point.pop("choice")
        snn = programs[0] if choice.head is None else programs[choice.head]
        models.append(replace(artifact, snn=snn, policy=choice.policy(score)).model())
    seconds: list[list[float]] = [[] for _ in models]
    with torch.no_grad():
        run_early_exit(models[0], [batches[0][:32]], BATCH)
        for _ in range(REPEATS):
            for model, found in zip(models, seconds, strict=True):
                start = time.process_time()
                run_early_exit(model, batches, BATCH)
                found.append((time.process_time() - start) / torch.get_num_threads())
    for point, found in zip(points, seconds, strict=True):
        point["milliseconds"] = 1000 * statistics.median(found) / len(images)


NAMES = {"fixed": "same for all", "score": "SEENN-I", "planned": "SEENN-II", "both": "both"}


def _table(rows: list[dict[str, Any]]) -> str:
    head = ("network", "at most", *(f"{NAMES[way]}: accuracy, timesteps, ms" for way in WAYS), "both uses")
    lines = []
    for row in rows:
        for average in dict.fromkeys(point["average"] for point in row["points"]):
            at = {point["way"]: point for point in row["points"] if point["average"] == average}
            shown = [at[way] for way in WAYS]
            cells = [f"{p['accuracy']:.2%}, {p['timesteps']:.2f}, {p['milliseconds']:.2f}" for p in shown]
            lines.append((row["network"], f"{average:g}", *cells, " and ".join(at["both"]["used"])))
    facts = [
        f"{row['network']}: ANN {row['ann_accuracy']:.2%}; {row['calibration_images']:,} calibration and "
        f"{row['test_images']:,} test images, {row['timed_images']:,} timed (processor time); the head has "
        f"{row['head_macs']:,} multiply-accumulates, {row['head_share_of_timestep']:.2%} of a timestep's; training all "
        f"settings from cached readouts took {row['training_seconds']:.1f} s, with the network run in every epoch it "
        f"would take {row['training_seconds_without_cache']:,.0f} s "
        f"({row['training_seconds_without_cache'] / row['training_seconds']:.0f} times)."
        for row in rows
    ]
    return "\n\n".join([table(head, lines), *facts])


if __name__ == "__main__":
    main()
