"""Measure how often a certificate is broken, and what it costs, by drawing calibration images many times from a pool.

Run: ``python benchmarks/validity.py NAME=ARTIFACT ... --calibration-data DATA --test-data DATA --output FILE``.

The path of thresholds is fitted once, on the calibration images. The test images are the pool: draws from it are with
replacement, so the risk of each point on the pool is its true risk, exactly. Each draw chooses a point of the path, by
certificate or by the naive rule (the fastest point whose risk on the drawn images is at most epsilon). It is broken
where the true risk of that point is above epsilon. Nothing is chosen for an artifact: the pool stands for the world.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch
from measuring import kept, named, output_option, outputs, save, table
from torch import Tensor

import seenn_convert as sc
from seenn_convert.choices import BOUND_NAMES, RISK_NAMES, Bound, Risk
from seenn_convert.exits.certificates import betting
from seenn_convert.exits.certificates.bounds import binomial_p_values, lower_share
from seenn_convert.exits.certificates.certificate import leading
from seenn_convert.exits.certificates.risk import exit_losses, images_needed
from seenn_convert.exits.readouts import from_logits
from seenn_convert.exits.thresholds import careful_to_fast, first_exit
from seenn_convert.ir.scores import CONFIDENCE, scores_of
from seenn_convert.runtime.memory import keep_pages

NAIVE = "naive"


@dataclass(frozen=True)
class Pool:
    """What every point of the path does to every image of the pool: timesteps ``(P,)`` and answers ``(P, N)``."""

    timesteps: Tensor
    answers: Tensor
    full: Tensor
    labels: Tensor


@click.command()
@click.argument("artifacts", nargs=-1, required=True)
@click.option("--calibration-data", type=click.Path(path_type=Path))
@click.option("--calibration-images", type=int, default=1000, show_default=True)
@click.option("--test-data", type=click.Path(path_type=Path))
@click.option("--test-images", type=int, default=5000, show_default=True)
@click.option("--cache", type=click.Path(path_type=Path), help="Folder of readouts: read where there, else written.")
@click.option("--draws", type=int, default=1000, show_default=True)
@click.option("--images", "sizes", type=int, multiple=True, default=(400, 1000, 4000), show_default=True)
@click.option("--epsilon", "epsilons", type=float, multiple=True, default=(0.005, 0.01, 0.02), show_default=True)
@click.option("--delta", type=float, default=0.05, show_default=True)
@output_option
def main(
    artifacts: tuple[str, ...], draws: int, sizes: tuple[int, ...], epsilons: tuple[float, ...], delta: float,
    output: Path, **given: Any,
) -> None:  # fmt: skip
    """Measure ARTIFACTS, each as NAME=FOLDER."""
    keep_pages()
    rows = []
    for name, folder in named(artifacts):
        pool = make_pool(*(
            kept(given["cache"], f"{name}_{part}{given[f'{key}_images']}",
                 lambda folder=folder, key=key: _outputs(Path(folder), given[f"{key}_data"], given[f"{key}_images"]))
            for part, key in (("calib", "calibration"), ("test", "test"))
        ))  # fmt: skip
        rows += [
            {"network": name, "timesteps": float(pool.timesteps[0]), **row}
            for size in sizes
            for row in simulate(pool, size, epsilons, delta, draws)
        ]
        click.echo(f"{name}: done", err=True)
    data = {"rows": rows, "delta": delta, "draws": draws}
    click.echo(save(output, data, _table(data)))


def make_pool(calibration: dict[str, Tensor], pool: dict[str, Tensor]) -> Pool:
    """Fit temperatures and path on the calibration readouts, and apply them to those of the pool."""
    known = from_logits(calibration["logits"], calibration["ann"], calibration["labels"])
    everything = range(len(calibration["labels"]))
    temperatures = known.temperatures(everything)
    known = known.with_ann_temperature(everything).scored(CONFIDENCE, temperatures)
    path = careful_to_fast(known.scores, known.worth)
    scores = scores_of(CONFIDENCE, pool["logits"], temperatures)
    predictions = pool["logits"].argmax(dim=-1)
    steps = torch.stack([first_exit(scores, scores.new_tensor(thresholds).unsqueeze(1)) for thresholds in path])
    answers = torch.stack([predictions.gather(0, step.unsqueeze(0)).squeeze(0) for step in steps])
    return Pool((steps + 1).double().mean(dim=1), answers, predictions[-1], pool["labels"])


def simulate(
    pool: Pool, images: int, epsilons: Sequence[float], delta: float, draws: int, seed: int = 0
) -> list[dict[str, Any]]:
    """Draw ``images`` of the pool ``draws`` times and return a row for each risk and epsilon."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(pool.full), (draws, images), generator=generator)
    return [_row(pool, risk, drawn, epsilon, delta) for risk in RISK_NAMES for epsilon in epsilons]


def _row(pool: Pool, risk: Risk, drawn: Tensor, epsilon: float, delta: float) -> dict[str, Any]:
    """Return what each rule does; ``drawn`` ``(draws, images)`` are positions in the pool, in random order."""
    losses = exit_losses(risk, pool.answers, pool.full, pool.labels)
    true = losses.double().mean(dim=1)
    rules = {bound: _certified(bound, losses, drawn, epsilon, delta) for bound in BOUND_NAMES}
    empirical = torch.stack([point[drawn].double().mean(dim=1) for point in losses])
    rules[NAIVE] = len(true) - 1 - (empirical <= epsilon + 1e-9).flip(0).long().argmax(dim=0)
    best = max(0, int(leading(true <= epsilon)) - 1)
    found = {name: None if chosen is None else _outcome(chosen, true, pool, epsilon) for name, chosen in rules.items()}
    count = drawn.shape[1]
    return {"risk": risk, "images": count, "epsilon": epsilon, "best_timesteps": float(pool.timesteps[best]), **found}


def _certified(bound: Bound, losses: Tensor, drawn: Tensor, epsilon: float, delta: float) -> Tensor | None:
    """Return the point at which the walk of each draw ends, ``(draws,)``; None where so few images show nothing."""
    images = drawn.shape[1]
    if images < images_needed(bound, epsilon, delta):
        return None
    last, walking = torch.zeros(len(drawn), dtype=torch.int64), torch.arange(len(drawn))
    for point, loss in enumerate(losses):
        found = loss[drawn[walking]]
        if bound == "binomial":
            passed = binomial_p_values((found > 0).sum(dim=-1), images, epsilon) <= delta
        else:
            passed = betting.rejects(found, epsilon, delta)
        walking = walking[passed]
        last[walking] = point
    return last


def _outcome(chosen: Tensor, true: Tensor, pool: Pool, epsilon: float) -> dict[str, float]:
    broken = true[chosen] > epsilon + 1e-12
    return {
        "broken": float(broken.double().mean()),
        "broken_at_least": lower_share(int(broken.sum()), len(broken), 0.025),
        "risk": float(true[chosen].mean()),
        "average_timesteps": float(pool.timesteps[chosen].mean()),
        "full_run": float((chosen == 0).double().mean()),
    }


def _outputs(artifact: Path, data: Path | None, images: int) -> dict[str, Any]:
    """Return mean logits ``(T, N, K)``, the ANN's ``(N, K)``, and labels."""
    if data is None:
        raise click.UsageError(f"{artifact}: nothing cached, so --calibration-data and --test-data are needed")
    loaded = sc.load_artifact(artifact)
    return outputs(loaded, sc.open_dataset(data, loaded.preprocessing, loaded.snn.input_shape[0]).take(images))


def _table(data: dict[str, Any]) -> str:
    """Return what came out: the middle number of images in full view, the others folded."""
    sizes = sorted({row["images"] for row in data["rows"]})
    shown = sizes[len(sizes) // 2]
    parts = [_summary(data), _rows(data, [shown])]
    if len(sizes) > 1:
        others = _rows(data, [size for size in sizes if size != shown])
        parts.append(f"<details><summary>Other numbers of images</summary>\n\n{others}\n\n</details>")
    return "\n\n".join(parts)


def _summary(data: dict[str, Any]) -> str:
    certified = [row[bound]["broken"] for row in data["rows"] for bound in BOUND_NAMES if row[bound]]
    naive = [row[NAIVE]["broken"] for row in data["rows"]]
    full_runs = {row["network"]: row["timesteps"] for row in data["rows"]}
    full = ", ".join(f"{steps:g} timesteps ({name})" for name, steps in full_runs.items())
    return (
        f"{data['draws']:,} draws a row; delta is {data['delta']:.0%}, so a certificate may be broken in that share of "
        f"them: it was in {min(certified):.1%} to {max(certified):.1%}. The naive choice, the fastest exits whose risk "
        f"on the drawn images is at most epsilon, was wrong in {min(naive):.1%} to {max(naive):.1%}. The full run "
        f"takes {full}."
    )


def _rows(data: dict[str, Any], sizes: Sequence[int]) -> str:
    rules = (*BOUND_NAMES, NAIVE)
    heads = (head for rule in rules for head in (f"{rule}: broken", f"{rule}: average timesteps"))
    lines = []
    for row in (row for row in data["rows"] if row["images"] in sizes):
        cells: list[str] = []
        for found in (row[rule] for rule in rules):
            cells += (
                ("too few images", "") if found is None
                else (f"{found['broken']:.1%}", f"{found['average_timesteps']:.2f}")
            )  # fmt: skip
        drawn = (row["network"], row["risk"], row["images"], f"{row['epsilon']:g}")
        lines.append((*drawn, *cells, f"{row['best_timesteps']:.2f}"))
    return table(("network", "risk", "images drawn", "epsilon", *heads, "least timesteps within epsilon"), lines)


if __name__ == "__main__":
    main()
