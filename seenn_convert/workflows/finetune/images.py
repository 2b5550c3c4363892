"""Which images of a fine-tuning train, which judge, and which fit the exits."""

from dataclasses import dataclass

import torch

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.data.fingerprint import not_among
from seenn_convert.data.samples import Samples
from seenn_convert.errors import CalibrationDataError
from seenn_convert.workflows.finetune.options import FinetuneOptions

MOST_HELD_OUT = 0.25
"""Share of the images that is held out at most."""

JUDGING_SHARE, MOST_JUDGING = 0.25, 500
"""Share of the exit images that judges instead, and how many of them at most."""


@dataclass(frozen=True)
class Images:
    """Which images do what.

    Attributes:
        data: The images to train on, and others.
        training: Positions in ``data`` of those that train.
        judging: Those that show how good the network is on the way, and how prefixes count.
        exits: Those that fit the exits.
        fresh: Whether those that judge are exit images, which the ANN was not trained on. If they are not, the network
            as it was converted remembers them better than any that was trained further, so they choose nothing.
    """

    data: Samples
    training: list[int]
    judging: Samples
    exits: Samples
    fresh: bool


def divided(artifact: Artifact, data: Samples, options: FinetuneOptions, exits: Samples | None) -> Images:
    """Return which images do what; without ``exits`` a part of ``data`` is held out, none that calibrated."""
    generator = torch.Generator().manual_seed(options.seed)
    if exits is not None:
        if len(exits) < 3:
            number = "1 exit image is" if len(exits) == 1 else f"{len(exits)} exit images are"
            raise CalibrationDataError(f"{exits.name}: {number} too few; give some hundreds")
        order = torch.randperm(len(exits), generator=generator).tolist()
        count = min(MOST_JUDGING, max(1, int(len(exits) * JUDGING_SHARE)))
        judging, others = sorted(order[:count]), sorted(order[count:])
        return Images(data, list(range(len(data))), exits.subset(judging), exits.subset(others), True)
    order = torch.randperm(len(data), generator=generator).tolist()
    held_out = order[: min(options.held_out, int(len(data) * MOST_HELD_OUT))]
    count = len(held_out)
    for known in (artifact.provenance.calibration, artifact.provenance.finetuning):
        if known is not None:
            held_out = not_among(known.hashes, data, held_out)
    if len(held_out) < 3:
        raise CalibrationDataError(
            f"{data.name}: {len(data)} images are too few to fine-tune: of {count} that were held out, {len(held_out)} "
            "did not calibrate or train the network before; give at least some hundreds others"
        )
    apart, half = set(held_out), len(held_out) // 2
    training = [place for place in order if place not in apart]
    judging, fitting = sorted(held_out[:half]), sorted(held_out[half:])
    return Images(data, training, data.subset(judging), data.subset(fitting), False)
