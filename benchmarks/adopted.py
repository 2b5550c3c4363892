"""Train small spiking networks with SpikingJelly and snnTorch, adopt them, and judge their early exits.

Run: ``python benchmarks/adopted.py --output benchmarks/results/adopted`` (minutes; both libraries are installed).

The images are those of the shipped sample: 1,000 train, half of the 2,000 test images fit the exits, and the other half
judges. Each network learns with cross-entropy at every timestep, by the gradient that its library has for spikes.
"""

from collections.abc import Callable
from importlib import metadata
from time import process_time
from typing import Any, NamedTuple

import click
import torch
from measuring import output_option, save, table
from torch import Tensor, nn

import seenn_convert as sc
from seenn_convert import sample

TIMESTEPS, BATCH = 4, 50
DROPS = (0.0, 0.5, 1.0, 2.0)
"""Points that early exit may lose against all timesteps."""


class Library(NamedTuple):
    """How a library makes neurons, and how its network starts from the beginning."""

    name: str
    neurons: Callable[[], nn.Module]
    reset: Callable[[nn.Module], object]


def spikingjelly() -> Library:
    """Return leaky neurons with a hard reset, as they are by default."""
    from spikingjelly.activation_based import functional, neuron, surrogate

    def neurons() -> nn.Module:
        return neuron.LIFNode(tau=2.0, detach_reset=True, surrogate_function=surrogate.ATan())

    return Library("SpikingJelly, LIFNode(tau=2)", neurons, functional.reset_net)


def snntorch() -> Library:
    """Return leaky neurons whose soft reset comes a timestep later, as it does by default."""
    import snntorch
    from snntorch import surrogate, utils

    def neurons() -> nn.Module:
        return snntorch.Leaky(beta=0.5, init_hidden=True, spike_grad=surrogate.atan())

    return Library("snnTorch, Leaky(beta=0.5)", neurons, utils.reset)


def network(library: Library) -> nn.Sequential:
    """Return an untrained network for pictures of 28 x 28 pixels: two convolutions and two linear layers."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), library.neurons(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), library.neurons(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 49, 128), library.neurons(), nn.Linear(128, 10),
    )  # fmt: skip


def run(net: nn.Module, library: Library, images: Tensor) -> Tensor:
    """Return what a network returns at each timestep, ``(T, B, K)``."""
    library.reset(net)
    return torch.stack([net(images) for _ in range(TIMESTEPS)])


def trained(library: Library, images: Tensor, labels: Tensor, epochs: int) -> nn.Module:
    """Return a network trained on ``images``, mirrored at random."""
    torch.manual_seed(0)
    net = network(library).train()
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * (len(images) // BATCH))
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(BATCH):
            mirrored = torch.where(torch.rand(len(rows), 1, 1, 1) < 0.5, images[rows], images[rows].flip(-1))
            outputs = run(net, library, mirrored)
            losses = [nn.functional.cross_entropy(one, labels[rows]) for one in outputs]
            optimizer.zero_grad()
            torch.stack(losses).mean().backward()
            optimizer.step()
            schedule.step()
    library.reset(net)
    return net.eval()


def measured(library: Library, epochs: int) -> list[dict[str, Any]]:
    """Return a row for each target of a trained and adopted network."""
    preprocessing = sc.Preprocessing(mean=sample.MEAN, std=sample.STD)
    training, test = (sc.open_dataset(place, preprocessing) for place in (sample.CALIBRATION, sample.TEST))
    images, labels = next(training.batches(len(training)))
    assert labels is not None
    start = process_time()
    net = trained(library, images, labels, epochs)
    seconds, rows = process_time() - start, []
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(0)).tolist()
    fitting, judging = test.subset(order[::2]), test.subset(order[1::2])
    for drop in DROPS:
        start = process_time()
        artifact = sc.adopt(net, fitting, sc.AdoptOptions(timesteps=TIMESTEPS, target=sc.ExitTarget(drop=drop)))
        adopting = process_time() - start
        found = sc.evaluate(artifact, judging)
        rows.append({
            "network": library.name,
            "version": metadata.version(library.name.split(",")[0].lower()),
            "target_drop": drop,
            "agreement": artifact.provenance.model.notes[-1],
            "accuracy_at": {str(t): share for t, share in found.accuracy_at.items()},
            "accuracy": found.early_exit.accuracy,
            "average_timesteps": found.early_exit.average_timesteps,
            "energy": vars(found.energy.nanojoule_per_image),
            "training_seconds": seconds,
            "adopting_seconds": adopting,
        })  # fmt: skip
    return rows


def text_of(rows: list[dict[str, Any]], epochs: int) -> str:
    """Return the rows as text."""
    head = ("network", *(f"all images at t = {t}" for t in range(1, TIMESTEPS + 1)), "may lose", "early exit",
            "average timesteps", "energy against all timesteps")  # fmt: skip
    lines = [
        (row["network"], *(f"{share:.1%}" for share in row["accuracy_at"].values()), f"{row['target_drop']:g}",
         f"{row['accuracy']:.1%}", f"{row['average_timesteps']:.2f}",
         f"{row['energy']['early_exit'] / row['energy']['all_timesteps']:.0%}")
        for row in rows
    ]  # fmt: skip
    said = {row["network"]: row for row in rows}
    notes = [
        f"- {name}, version {row['version']}: {row['agreement']}; {row['training_seconds']:.0f} s of processor time to "
        f"train for {epochs} epochs, {row['adopting_seconds']:.1f} s to adopt once"
        for name, row in said.items()
    ]
    return "\n".join([table(head, lines), "", *notes])


@click.command()
@click.option("--epochs", type=int, default=30, show_default=True)
@output_option
def main(epochs: int, output: Any) -> None:
    """Train, adopt, judge."""
    rows = [row for library in (spikingjelly(), snntorch()) for row in measured(library, epochs)]
    click.echo(save(output, {"rows": rows}, text_of(rows, epochs)))


if __name__ == "__main__":
    main()
