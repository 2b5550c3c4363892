"""The words that options may be; the command line offers them without importing PyTorch."""

from collections.abc import Sequence
from typing import Literal, TypeGuard, get_args

NeuronName = Literal["signed", "if", "tracking", "multilevel", "multilevel-unsigned", "group"]
NEURON_NAMES: tuple[NeuronName, ...] = get_args(NeuronName)

Encode = Literal["auto", "always", "never"]
ENCODE_NAMES: tuple[Encode, ...] = get_args(Encode)

Skips = Literal["graded", "spiking"]
SKIPS_NAMES: tuple[Skips, ...] = get_args(Skips)

Preset = Literal["fast", "balanced", "deep"]
PRESET_NAMES: tuple[Preset, ...] = get_args(Preset)

Correction = Literal["none", "potential", "bias", "timestep"]
CORRECTION_NAMES: tuple[Correction, ...] = get_args(Correction)

ScoreName = Literal["confidence", "entropy", "margin", "gap", "energy", "patience"]
SCORE_NAMES: tuple[ScoreName, ...] = get_args(ScoreName)

Risk = Literal["disagreement", "accuracy"]
RISK_NAMES: tuple[Risk, ...] = get_args(Risk)

Bound = Literal["binomial", "betting"]
BOUND_NAMES: tuple[Bound, ...] = get_args(Bound)

Planning = Literal["planned", "planned+confidence"]
PLANNING_NAMES: tuple[Planning, ...] = get_args(Planning)

Reads = Literal["drive", "image"]
READS_NAMES: tuple[Reads, ...] = get_args(Reads)

RewardName = Literal["price", "paper"]
REWARD_NAMES: tuple[RewardName, ...] = get_args(RewardName)

Right = Literal["worth", "labels", "agreement"]
RIGHT_NAMES: tuple[Right, ...] = get_args(Right)

Gradient = Literal["exact", "sampled"]
GRADIENT_NAMES: tuple[Gradient, ...] = get_args(Gradient)

SEEDS = (-(2**63), 2**64 - 1)
"""Smallest and largest seed of PyTorch's generator."""


def unknown(name: str, value: object, known: Sequence[str]) -> list[str]:
    """Return what is wrong with the word ``value`` of an option; nothing where it is known."""
    return [] if value in known else [f"{name} must be one of {', '.join(known)}, got {value!r}"]


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether ``value`` is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)
