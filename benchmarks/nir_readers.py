"""Train small networks for NIR, convert and export them for each reader, and compare every spike in the reader itself.

Run: ``python benchmarks/nir_readers.py --training-data TRAIN --output benchmarks/results/nir_readers`` (minutes), where
TRAIN are the training images of Fashion-MNIST, and nir, nirtorch and the readers are installed. A reader that is not
is left out, and the rows of an earlier run stay.

Three networks with average pooling (a chain, one with skip connections, one with grouped and depthwise convolutions)
learn for a few minutes and are converted with binary neurons and one bias per channel; the chain is trained through
time as well. Each is written for each reader and runs on test images of the shipped sample twice: as the reader
imports the file, and with ``load_network.py``, which sets what a NIR file cannot say.
"""

import logging
import tempfile
from contextlib import redirect_stdout
from importlib import metadata
from io import StringIO
from pathlib import Path
from time import process_time
from typing import Any

import click
import nir
import torch
from measuring import output_option, rows_in, save, table
from nir_runs import ALONE, compared, double_run
from torch import Tensor, nn
from torch.nn import functional as F

import seenn_convert as sc
from seenn_convert import sample
from seenn_convert.choices import READER_NAMES, Reader
from seenn_convert.errors import reason_of
from seenn_convert.exporters.nir.comparison import Run
from seenn_convert.exporters.nir.exporter import NirExporter
from seenn_convert.exporters.nir.files import read_graph
from seenn_convert.exporters.nir.interpreter import run
from seenn_convert.exporters.nir.reading import is_installed, reader_run

TIMESTEPS, IMAGES, BATCH = 16, 200, 100
SAID = {"snntorch": "TypeError: behind neurons it meets a pair of spikes and membrane"}
"""Reader -> its error in fewer words."""

HEAD = (
    "network", "reader", "as imported: spikes that differ (of those sent)", "answers equal",
    "with load_network.py: spikes", "spikes that differ", "images with equal counts", "answers equal",
    "largest error of an output",
)  # fmt: skip


class Chain(nn.Module):
    """Two convolutions, two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.hidden, self.head = nn.Linear(32 * 49, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        for layer in (self.first, self.second):
            x = F.avg_pool2d(F.relu(layer(x)), 2)
        return self.head(F.relu(self.hidden(x.flatten(1))))  # type: ignore[no-any-return]


class Residual(nn.Module):
    """A skip connection that carries spikes, and one with a projection."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, stride=2, padding=1)
        self.first, self.second = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
        self.third, self.fourth = nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.Conv2d(32, 32, 3, padding=1)
        self.projection, self.head = nn.Conv2d(16, 32, 1, stride=2), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        x = F.relu(self.stem(x))
        x = F.relu(x + self.second(F.relu(self.first(x))))
        x = F.relu(self.projection(x) + self.fourth(F.relu(self.third(x))))
        return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]


class Grouped(nn.Module):
    """Convolutions with groups, and a depthwise one."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, stride=2, padding=1)
        self.grouped, self.depthwise = (
            nn.Conv2d(16, 32, 3, padding=1, groups=4),
            nn.Conv2d(32, 32, 3, padding=1, groups=32),
        )
        self.pointwise, self.head = nn.Conv2d(32, 64, 1), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        x = F.avg_pool2d(F.relu(self.grouped(F.relu(self.stem(x)))), 2)
        x = F.relu(self.pointwise(F.relu(self.depthwise(x))))
        return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]


def trained(network: nn.Module, images: Tensor, labels: Tensor, epochs: int) -> nn.Module:
    """Return a network trained on ``images``, mirrored at random."""
    optimizer = torch.optim.AdamW(network.train().parameters(), 4e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, epochs * (len(images) // BATCH))
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(BATCH):
            mirrored = torch.where(torch.rand(len(rows), 1, 1, 1) < 0.5, images[rows], images[rows].flip(-1))
            optimizer.zero_grad()
            F.cross_entropy(network(mirrored), labels[rows]).backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def converted(network: nn.Module, calibration: sc.Dataset, training: sc.Dataset, finetuned: float) -> sc.Artifact:
    """Return a network converted for NIR, and then trained through time for so many epochs."""
    options = sc.Options(
        timesteps=TIMESTEPS, neuron="if", skips="spiking", depthwise="spiking", front="none", encode="never",
        correction="bias", calibration="fast",
    )  # fmt: skip
    artifact = sc.convert(network, calibration, options)
    if finetuned:
        given = sc.FinetuneOptions(epochs=finetuned, timesteps=TIMESTEPS, held_out=200)
        artifact = sc.finetune(artifact, training, options=given)
    return artifact


def measured(artifact: sc.Artifact, reader: Reader, images: Tensor) -> dict[str, Any]:
    """Return what a reader makes of a network, by itself and with the script beside the file."""
    exporter = NirExporter(reader)
    refusals = exporter.refusals(artifact)
    if refusals:
        return {"version": version_of(reader), "refused": [str(one) for one in refusals]}
    with tempfile.TemporaryDirectory() as place, redirect_stdout(StringIO()):
        folder = sc.export(artifact, exporter, Path(place) / "nir", images[:20]).folder
        row: dict[str, Any] = {"version": version_of(reader)}
        if reader == "primitives":
            graph = read_graph(folder / "network.nir")
            theirs: Run = lambda batch, timesteps: run(graph, batch, timesteps)  # noqa: E731
        else:
            theirs = reader_run(reader, folder).run
        try:
            row["alone"] = compared(artifact, ALONE[reader](nir.read(folder / "network.nir")), images)
        except Exception as error:  # what it says is a result
            row["alone"] = f"{type(error).__name__}: {reason_of(error)}"
        return {**row, "scripted": compared(artifact, theirs, images)}


def version_of(reader: Reader) -> str:
    """Return the version of a reader, or of nir."""
    return str(metadata.version("nir" if reader == "primitives" else reader))


@click.command()
@click.option("--training-data", type=click.Path(path_type=Path), required=True)
@click.option("--training-images", type=int, default=20000, show_default=True)
@click.option("--epochs", type=int, default=4, show_default=True)
@click.option("--finetune-epochs", type=float, default=1.0, show_default=True, help="Of the chain.")
@output_option
def main(training_data: Path, training_images: int, epochs: int, finetune_epochs: float, output: Path) -> None:
    """Train, convert, export, and compare in each reader that is installed."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    preprocessing = sc.Preprocessing(mean=sample.MEAN, std=sample.STD)
    calibration, test = (sc.open_dataset(place, preprocessing) for place in (sample.CALIBRATION, sample.TEST))
    images = next(test.take(IMAGES).batches(IMAGES))[0]
    rows = rows_in(output)
    for kind, finetuned in ((Chain, finetune_epochs), (Residual, 0.0), (Grouped, 0.0)):
        torch.manual_seed(0)
        start, training = process_time(), sc.open_dataset(training_data, preprocessing).take(training_images)
        pictures, labels = next(training.batches(training_images))
        assert labels is not None
        artifact = converted(trained(kind(), pictures, labels, epochs), calibration, training, finetuned)
        seconds, found = process_time() - start, sc.evaluate(artifact, test)
        facts = {
            "seconds": seconds,
            "ann_accuracy": found.ann_accuracy,
            "accuracy": found.full_accuracy,
            "early_exit": found.early_exit.accuracy,
            "average_timesteps": found.early_exit.average_timesteps,
            "double": compared(artifact, double_run(artifact), images),
        }
        for reader in READER_NAMES:
            if reader != "primitives" and not is_installed(reader):
                continue
            key = {"network": kind.__name__.lower(), "reader": reader}
            rows = [row for row in rows if any(row[word] != value for word, value in key.items())]
            rows.append({**key, **facts, **measured(artifact, reader, images)})
            save(output, {"rows": rows}, text_of(rows))
    click.echo(text_of(rows))


def text_of(rows: list[dict[str, Any]]) -> str:
    """Return the rows as text."""
    lines = []
    for row in rows:
        name = f"{row['reader']} {row['version']}" if row["reader"] != "primitives" else (
            f"primitives: nirtorch {metadata.version('nirtorch')}; our interpreter"
        )  # fmt: skip
        if "refused" in row:
            lines.append((row["network"], name, "refused: it has sums", "", "", "", "", "", ""))
            continue
        alone, scripted = row["alone"], row["scripted"]
        said = (SAID.get(row["reader"], alone), "") if isinstance(alone, str) else (
            f"{alone['spikes_differ']:,} ({alone['spikes_differ'] / alone['spikes']:.1%})",
            f"{alone['answers_equal'] / IMAGES:.1%}",
        )  # fmt: skip
        lines.append((
            row["network"], name, *said, f"{scripted['spikes']:,}", f"{scripted['spikes_differ']:,}",
            f"{scripted['counts_equal']} of {IMAGES}", f"{scripted['answers_equal'] / IMAGES:.1%}",
            f"{scripted['error']:.0e}",
        ))  # fmt: skip
    facts = {row["network"]: row for row in rows}
    notes = [
        f"- {name}: of 2,000 test images the ANN has {row['ann_accuracy']:.1%} right, all {TIMESTEPS} timesteps "
        f"{row['accuracy']:.1%}; {row['seconds']:.0f} s of processor time to train and convert. In double precision "
        f"the network itself sends {row['double']['spikes_differ']} spikes otherwise"
        for name, row in facts.items()
    ]
    return "\n".join([table(HEAD, lines), "", *notes])


if __name__ == "__main__":
    main()
