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


@dataclass(frozen=True)
class Images:
    """Which images do what.

    Attributes:
        data: All of them.
        training: Positions of those that train.
        judging: Positions of those that say which state is kept, and how prefixes count.
        exits: Positions of those that fit the exits; empty where exit images are given.
    """

    data: Samples
    training: list[int]
    judging: list[int]
    exits: list[int]


def divided(artifact: Artifact, data: Samples, options: FinetuneOptions, fit_exits: bool) -> Images:
    """Return which images train, which judge and which fit exits; those that calibrated only train."""
    generator = torch.Generator().manual_seed(options.seed)
    order = torch.randperm(len(data), generator=generator).tolist()
    wanted = min(options.held_out, int(len(data) * MOST_HELD_OUT))
    held_out = order[:wanted]
    if artifact.provenance.calibration is not None:
        held_out = not_among(artifact.provenance.calibration.hashes, data, held_out)
    least = 3 if fit_exits else 2
    if options.held_out < least:
        raise CalibrationDataError(
            f"{options.held_out} held-out images are too few to judge and to fit exits; give at least {least}, better "
            "some hundreds (--held-out, held_out)"
        )
    if len(held_out) < least:
        raise CalibrationDataError(
            f"{data.name}: {len(data)} images are too few to fine-tune, beside those that calibrated the network; give "
            "at least some hundreds others"
        )
    apart = set(held_out)
    training = [place for place in order if place not in apart]
    half = len(held_out) // 2 if fit_exits else len(held_out)
    return Images(data, training, sorted(held_out[:half]), sorted(held_out[half:]))
