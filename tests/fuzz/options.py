"""Odd values of every option in Python: an InputError, or a value with which a small network converts or is refused."""

import random
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import numpy as np
import small_artifacts as small
import torch

from fuzz.values import ODD
from seenn_convert.calibration.rules import AutoRule, BalanceRule, MaxRule, MseRule, PercentileRule, ScaledRule
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.exits.certificates.certificate import Certify
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.neurons.types import Binary, Group, MultiLevel, Signed, Tracking, UnsignedMultiLevel
from seenn_convert.runtime.policies import FixedPolicy, ThresholdPolicy
from seenn_convert.training.planner.rewards import PaperReward, PricedReward
from seenn_convert.workflows.add_planner.options import PolicyOptions
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert

KINDS: tuple[type[Any], ...] = (
    ExitTarget, Certify, MaxRule, PercentileRule, MseRule, BalanceRule, ScaledRule, AutoRule, Preprocessing, PricedReward,
    PaperReward, PolicyOptions, ThresholdPolicy, FixedPolicy, Group, MultiLevel, UnsignedMultiLevel, Tracking,
)  # fmt: skip
PLAIN = (MaxRule(), AutoRule(), ExitTarget(drop=1.0), Signed(), Binary(), Certify(0.2, 0.2), MaxRule, ExitTarget)
VALUES = (
    *ODD, *PLAIN, np.float32(0.25), np.int64(4), np.bool_(True), torch.tensor(0.5), torch.zeros(2), (0.1, 0.9), (1, 2), b"x",
    "max", "fast", "balanced", "none", "if", "cuda:99", "meta", 4, 0.1, (0.5,) * 4,
)  # fmt: skip
MOST_TIMESTEPS = 64


def trials(seed: int) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Return an endless iterator over values of one class, or conversions with odd options."""
    random_ = random.Random(seed)
    while True:
        yield _conversion(random_) if random_.random() < 0.5 else _value(random_)


def _value(random_: random.Random) -> tuple[str, Callable[[Path], None]]:
    kind = random_.choice(KINDS)
    given = _some(kind, random_)
    return f"{kind.__name__}({given})"[:200], lambda folder: _make(kind, given)


def _conversion(random_: random.Random) -> tuple[str, Callable[[Path], None]]:
    given: dict[str, Any] = {"timesteps": 4, "calibration": "fast", **_some(Options, random_)}

    def attempt(folder: Path) -> None:
        options = Options(**given)
        if options.timesteps <= MOST_TIMESTEPS and options.device == "cpu":
            artifact = convert(small.source(), small.dataset(40), options)
            artifact.save(folder / "out")

    return f"Options({given})"[:200], attempt


def _some(kind: type[Any], random_: random.Random) -> dict[str, Any]:
    """Return odd values for one or two fields, and for those without a default."""
    names = [one.name for one in fields(kind) if one.init]
    needed = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING and one.init}
    chosen = needed | set(random_.sample(names, min(len(names), random_.choice((1, 1, 2)))))
    return {name: random_.choice(VALUES) for name in names if name in chosen}


def _make(kind: type[Any], given: dict[str, Any]) -> None:
    kind(**given)
