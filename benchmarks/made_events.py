"""Event recordings that are made rather than collected: the shipped sample's garments move before a simulated sensor.

Run ``python benchmarks/made_events.py FOLDER`` to write ``train.npz``, ``exits.npz`` and ``test.npz`` with frames
``(N, 10, 2, 34, 34)`` and labels; with ``--files`` also as N-MNIST files ``train/CLASS/00000.bin``.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seenn_convert import sample
from seenn_convert.data.readers.event_folder import EVENT, write_events

SENSOR, FRAMES, MOMENTS = 34, 10, 5
"""Pixels a side of the sensor; frames of a recording, and moments in each at which pixels are looked at."""

CONTRAST, NOISE = 0.35, 0.004
"""Change of log intensity that makes an event, and events of a pixel at a moment that have no cause."""

DARK = 0.1
"""Intensity of black, of white 1: the smaller, the more events come from faint edges."""

REACH = 3.0
"""Pixels that a garment moves on each of its three ways."""

MICROSECONDS = 10_000
"""Of a frame, in files."""


@dataclass(frozen=True)
class Made:
    """Recordings of the pictures of the sample from number ``first`` to before ``last``, each along ``paths`` paths."""

    name: str
    first: int
    last: int
    paths: int


PARTS = (Made("train", 0, 1600, 2), Made("exits", 1600, 2000, 1), Made("test", 2000, 3000, 1))
"""No picture is in two parts: 2,000 of the sample's test images train and fit exits, its calibration images test."""


def recordings(pictures: NDArray[np.uint8], seed: int) -> Tensor:
    """Return events ``(N, FRAMES * MOMENTS, 2, SENSOR, SENSOR)`` of pictures ``(N, 28, 28)``: how many at each moment.

    Each picture goes along three ways of one length, which close a triangle, as the camera of N-MNIST did; the first
    direction is random. A pixel sends an event when its log intensity has changed by ``CONTRAST`` since its last one:
    channel 1 where it became brighter, channel 0 where darker. One moment sends at most one event a pixel.

    Source: Orchard et al. 2015 (three saccades); Rebecq et al. 2018 (log intensity against a reference).
    """
    generator = torch.Generator().manual_seed(seed)
    scenes = nn.functional.pad(torch.from_numpy(pictures).float().div(255).unsqueeze(1), [(SENSOR - 28) // 2] * 4)
    turn = 2 * math.pi * torch.rand(len(scenes), 1, generator=generator)
    turned = torch.where(torch.rand(len(scenes), 1, generator=generator) < 0.5, -1.0, 1.0)
    moments, found = FRAMES * MOMENTS, []
    reference = _seen(scenes, torch.zeros(len(scenes), 2))
    for moment in range(1, moments + 1):
        change = _seen(scenes, _place(turn, turned, 3 * moment / moments)) - reference
        events = torch.stack([change <= -CONTRAST, change >= CONTRAST], dim=1)
        reference = reference + CONTRAST * (events[:, 1].float() - events[:, 0].float())
        noise = torch.rand(events.shape, generator=generator) < NOISE / 2
        found.append(events | noise)
    return torch.stack(found, dim=1)


def frames_of(events: Tensor) -> Tensor:
    """Return the counts of events ``(N, FRAMES, 2, SENSOR, SENSOR)`` uint8 of all moments of a frame together."""
    return events.unflatten(1, (FRAMES, MOMENTS)).sum(dim=2).to(torch.uint8)


def rows_of(events: Tensor, seed: int) -> NDArray[np.void]:
    """Return the events of one recording ``(FRAMES * MOMENTS, 2, SENSOR, SENSOR)`` in the order of their times."""
    moment, p, y, x = events.nonzero().T.numpy()
    length = MICROSECONDS // MOMENTS
    rows = np.empty(len(x), EVENT)
    rows["x"], rows["y"], rows["p"] = x, y, p
    rows["t"] = moment * length + np.random.default_rng(seed).integers(0, length, len(x))
    return rows[np.argsort(rows["t"], kind="stable")]


def part(made: Made) -> tuple[Tensor, Tensor]:
    """Return the events of a part ``(N, FRAMES * MOMENTS, 2, SENSOR, SENSOR)`` and the labels ``(N,)``."""
    pictures, labels = _sample()
    chosen = np.repeat(np.arange(made.first, made.last), made.paths)
    events = [recordings(pictures[some], made.first + number) for number, some in enumerate(np.array_split(chosen, 8))]
    return torch.cat(events), torch.from_numpy(labels[chosen])


def _sample() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return all pictures of the shipped sample ``(3000, 28, 28)``, and their labels."""
    with np.load(sample.TEST) as first, np.load(sample.CALIBRATION) as last:
        pictures, labels = (np.concatenate([first[name], last[name]]) for name in "xy")
    return pictures.reshape(-1, 28, 28), labels.astype(np.int64)


def _place(turn: Tensor, turned: Tensor, way: float) -> Tensor:
    """Return where the pictures are ``(N, 2)``, in pixels from their start, when ``way`` of the three ways are done."""
    place = torch.zeros(len(turn), 2)
    for number in range(3):
        angle = turn + turned * number * 2 * math.pi / 3
        done = min(max(way - number, 0.0), 1.0)
        place = place + REACH * done * torch.cat([angle.cos(), angle.sin()], dim=1)
    return place


def _seen(scenes: Tensor, place: Tensor) -> Tensor:
    """Return the log intensity ``(N, SENSOR, SENSOR)`` of scenes that have moved to ``place``."""
    moved = torch.eye(2, 3).expand(len(scenes), 2, 3).clone()
    moved[:, :, 2] = -2 * place / SENSOR
    grid = nn.functional.affine_grid(moved, list(scenes.shape), align_corners=False)
    seen = nn.functional.grid_sample(scenes, grid, align_corners=False)
    return (DARK + (1 - DARK) * seen[:, 0]).log()


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--files", is_flag=True, help="Write N-MNIST files, too.")
def main(folder: Path, files: bool) -> None:
    """Write the recordings to FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    for made in PARTS:
        events, labels = part(made)
        np.savez_compressed(folder / f"{made.name}.npz", x=frames_of(events).numpy().astype(np.int16), y=labels.numpy())
        for number, (one, label) in enumerate(zip(events, labels.tolist(), strict=True) if files else ()):
            place = folder / made.name / str(label) / f"{number:05d}.bin"
            place.parent.mkdir(parents=True, exist_ok=True)
            write_events(place, rows_of(one, number))
        click.echo(f"{made.name}: {len(events)} recordings of {made.last - made.first} pictures")


if __name__ == "__main__":
    main()
