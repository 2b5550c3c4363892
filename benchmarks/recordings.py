"""Event recordings by timestep: train an ANN on mean frames, convert it, train it through time, and judge each exit.

Run: ``python benchmarks/recordings.py --output benchmarks/results/recordings``.

The recordings are those of ``made_events.py``: no picture is in two of the parts that train, fit the exits, and test.
A run is ``FRAMES:NEURON:OBJECTIVE``; each is judged as converted and as fine-tuned. FRAMES says what the ANN was
trained on: the mean of ``all`` frames, or that of a random number of the ``first`` ones. One thread.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
import made_events
import measuring
import torch
from torch import Tensor, nn

import seenn_convert as sc
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.runtime.memory import keep_pages
from seenn_convert.runtime.policies import exit_steps
from seenn_convert.training.augment import augmented

SHOWN = (1, 2, 3, 5, 10)
RUNS = ("first:multilevel:labels", "all:multilevel:labels", "first:if:labels")
ANN_EPOCHS, BATCH, RATE = 24, 64, 3e-3

T = TypeVar("T")
Part = tuple[Tensor, Tensor]
"""Frames ``(N, 10, 2, 34, 34)`` and labels ``(N,)``."""


def network() -> nn.Module:
    """Return the ANN, untrained: three convolutions with batch norm, average pooling, a linear layer."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((2, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [nn.AvgPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def trained(frames: Tensor, labels: Tensor, on: str) -> nn.Module:
    """Return the ANN trained on mean frames, each moved a little and mirrored half the time.

    They are the means of ``"all"`` frames, or of so many of the ``"first"`` as are drawn for each recording.
    """
    torch.manual_seed(0)
    model, generator = network(), torch.Generator().manual_seed(0)
    sums = frames.cumsum(dim=1)
    updates = ANN_EPOCHS * (len(frames) // BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, updates)
    for _ in range(ANN_EPOCHS):
        for chosen in torch.randperm(len(frames), generator=generator).split(BATCH)[: len(frames) // BATCH]:
            fewest = 1 if on == "first" else made_events.FRAMES
            counts = torch.randint(fewest, made_events.FRAMES + 1, (BATCH,), generator=generator)
            seen = augmented(sums[chosen, counts - 1] / counts.view(-1, 1, 1, 1), generator, True)
            loss = nn.functional.cross_entropy(model(seen), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


@click.command()
@click.option("--run", "runs", multiple=True, default=RUNS, help="FRAMES:NEURON:OBJECTIVE; several are several rows.")
@click.option("--epochs", type=float, default=3, show_default=True, help="Of the training through time.")
@click.option("--average", type=float, default=5, show_default=True, help="Timesteps that the exits aim for.")
@measuring.output_option
def main(runs: tuple[str, ...], epochs: float, average: float, output: Path) -> None:
    """Measure every run."""
    keep_pages()
    torch.set_num_threads(1)
    training, exits, test = (_frames(part) for part in made_events.PARTS)
    rows: list[dict[str, Any]] = []
    anns: dict[str, nn.Module] = {}
    for run in runs:
        on, neuron, objective = run.split(":")
        if on not in anns:
            anns[on], seconds = _timed(partial(trained, *training, on))
            rows.append({"ann": on, "neuron": "", "network": "ANN", "seconds": seconds, **_ann_judged(anns[on], test)})
            click.echo(_table(rows[-1:]))
        aim = sc.Options(neuron=neuron, calibration="fast", target=sc.ExitTarget(timesteps=average))
        converted = sc.convert(anns[on], training, aim, exit_data=exits)
        rows.append({"ann": on, "neuron": neuron, "network": "converted", **_judged(converted, test)})
        click.echo(_table(rows[-1:]))
        options = sc.FinetuneOptions(epochs=epochs, objective=objective, held_out=400)  # type: ignore[arg-type]
        tuned, seconds = _timed(partial(sc.finetune, converted, training, options, exit_data=exits))
        told = {"ann": on, "neuron": neuron, "network": f"fine-tuned, {objective}", "seconds": seconds}
        rows.append({**told, **_judged(tuned, test)})
        text = f"{_table(rows)}\n\n{_words(len(training[0]), len(test[0]))}"
        measuring.save(output, {"rows": rows}, text)
        click.echo(text)


def _timed(make: Callable[[], T]) -> tuple[T, float]:
    """Return what ``make`` returns, and the seconds of processor time that it takes."""
    start = time.process_time()
    return make(), time.process_time() - start


def _frames(part: made_events.Made) -> Part:
    events, labels = made_events.part(part)
    return made_events.frames_of(events).float(), labels


@torch.no_grad()
def _judged(artifact: sc.Artifact, test: Part) -> dict[str, Any]:
    """Return the share right at each timestep, and with early exit, with its average timesteps."""
    seen = collect_readouts(artifact.model(), test[0].split(128), labels=test[1])
    steps = exit_steps(artifact.policy, seen.scores, None)
    return {
        "accuracy_at": {str(t): float(share) for t, share in enumerate(seen.right.double().mean(dim=1), 1)},
        "early_exit": float((seen.answers(steps) == test[1]).double().mean()),
        "timesteps": float(steps.double().mean()),
    }


@torch.no_grad()
def _ann_judged(ann: nn.Module, test: Part) -> dict[str, Any]:
    """Return the share right of the ANN if it sees the mean of the first t frames."""
    sums = test[0].cumsum(dim=1)
    means = ((t, sums[:, t - 1] / t) for t in range(1, made_events.FRAMES + 1))
    return {"accuracy_at": {str(t): measuring.share(ann(mean).argmax(dim=1), test[1]) for t, mean in means}}


def _table(rows: list[dict[str, Any]]) -> str:
    head = ("ANN trained on", "neurons", "network", *(f"t={t}" for t in SHOWN), "early exit", "timesteps", "training s")
    return measuring.table(head, map(_cells, rows))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    early = (f"{row['early_exit']:.1%}", f"{row['timesteps']:.2f}") if "early_exit" in row else ("", "")
    return (
        f"{row['ann']} frames", row["neuron"], row["network"],
        *(f"{row['accuracy_at'][str(t)]:.1%}" for t in SHOWN), *early,
        f"{row['seconds']:.0f}" if "seconds" in row else "",
    )  # fmt: skip


def _words(training: int, test: int) -> str:
    return (
        f"{training:,} recordings train, {test:,} test. The rows of the ANN show what it makes of the mean of the "
        "first t frames. Seconds are of processor time, one thread."
    )


if __name__ == "__main__":
    main()
