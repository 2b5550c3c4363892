"""The words that options may be; the command line offers them without importing PyTorch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, TypeGuard, get_args

NeuronName = Literal["signed", "if", "tracking", "multilevel", "multilevel-unsigned", "group"]
NEURON_NAMES: tuple[NeuronName, ...] = get_args(NeuronName)

Encode = Literal["auto", "always", "never"]
ENCODE_NAMES: tuple[Encode, ...] = get_args(Encode)

Skips = Literal["graded", "spiking"]
SKIPS_NAMES: tuple[Skips, ...] = get_args(Skips)

Depthwise = Literal["graded", "spiking"]
DEPTHWISE_NAMES: tuple[Depthwise, ...] = get_args(Depthwise)
Front = Literal["none", "auto"]
FRONT_NAMES: tuple[Front, ...] = get_args(Front)

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

Prefer = Literal["accuracy", "steps", "time", "energy"]
PREFER_NAMES: tuple[Prefer, ...] = get_args(Prefer)

Varied = Literal["neuron", "timesteps", "calibration", "front"]
VARIED_NAMES: tuple[Varied, ...] = get_args(Varied)

Reset = Literal["subtract", "rest", "none"]
RESET_NAMES: tuple[Reset, ...] = get_args(Reset)

Readout = Literal["mean", "last", "membrane"]
READOUT_NAMES: tuple[Readout, ...] = get_args(Readout)

Reference = Literal["ann", "full_run"]
REFERENCE_NAMES: tuple[Reference, ...] = get_args(Reference)

Objective = Literal["prefixes", "labels", "temporal", "mixed"]
OBJECTIVE_NAMES: tuple[Objective, ...] = get_args(Objective)

Precision = Literal["float32", "bfloat16"]
PRECISION_NAMES: tuple[Precision, ...] = get_args(Precision)

CheckTarget = Literal["speck2f", "speck2e", "akida1", "akida2", "xylo", "loihi2", "spinnaker2", "nir", "hls4ml"]
CHECK_TARGET_NAMES: tuple[CheckTarget, ...] = get_args(CheckTarget)

Target = Literal["onnx", "onnx-loop", "pt2", "nir"]
TARGET_NAMES: tuple[Target, ...] = get_args(Target)

Reader = Literal["primitives", "sinabs", "spyx", "norse", "snntorch", "spikingjelly"]
READER_NAMES: tuple[Reader, ...] = get_args(Reader)

ExportPrecision = Literal["float32", "int8"]
EXPORT_PRECISION_NAMES: tuple[ExportPrecision, ...] = get_args(ExportPrecision)

Backend = Literal["auto", "eager", "compiled", "onnxruntime"]
BACKEND_NAMES: tuple[Backend, ...] = get_args(Backend)

SEEDS = (-(2**63), 2**64 - 1)
"""Smallest and largest seed of PyTorch's generator."""


FAR = 2**16
"""A bound beyond this is mentioned only to those who pass it."""


@dataclass(frozen=True)
class Range:
    """Which numbers an option may be: finite ones within its bounds.

    Attributes:
        least: The smallest.
        most: The largest.
        above: What it must be larger than.
        below: What it must be smaller than.
        whole: Whether it must be a whole number.
        optional: Whether it may be None.
        name: What messages call it; the name of the field if empty.
        words: What messages say that it must be; made from the bounds if empty.
    """

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    whole: bool = False
    optional: bool = False
    name: str = ""
    words: str = ""

    def problem(self, value: object) -> str:
        """Return what ``value`` must be and is not, an empty string if nothing is wrong."""
        problem = self._problem(value)
        return self.words if problem and self.words else problem

    def problems(self, name: str, value: object) -> list[str]:
        """Return a sentence about what is wrong with ``value``, called ``name`` in it; nothing if it is right."""
        problem = self.problem(value)
        return [f"{name} must be {problem}, got {value!r}"] if problem else []

    def _problem(self, value: object) -> str:
        if not isinstance(value, Integral if self.whole else Real) or isinstance(value, bool):
            return "a whole number" if self.whole else "a number"
        number = int(value) if isinstance(value, Integral) and self.whole else _as_float(value)
        bounds = {
            f"above {self.above:g}": (self.above, number > self.above or self.above == -math.inf),
            f"at least {self.least:g}": (self.least, number >= self.least),
            f"below {self.below:g}": (self.below, number < self.below or self.below == math.inf),
            f"at most {self.most:g}": (self.most, number <= self.most),
        }
        if all(kept for _, kept in bounds.values()):
            return "" if self.whole or math.isfinite(number) else "finite"
        told = (
            words for words, (bound, kept) in bounds.items() if not math.isinf(bound) and (abs(bound) < FAR or not kept)
        )
        return " and ".join(told) or "finite"


def _as_float(value: Real) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number or fraction beyond all floats
        return math.inf


SEED = Range(*SEEDS, whole=True, words="a whole number of 64 bits")
COUNT = Range(1, whole=True)


def settle_numbers(owner: object, **ranges: Range) -> list[str]:
    """Return what is wrong with the numbers of a frozen value, and make those of other libraries plain.

    ``ranges`` says what its fields may be. NumPy's numbers become Python's, so that they can be written to JSON.
    """
    problems = []
    for field, range_ in ranges.items():
        value: object = getattr(owner, field)
        if value is None and range_.optional:
            continue
        found = range_.problems(range_.name or field.replace("_", " "), value)
        problems += found
        if not found and isinstance(value, Real):
            object.__setattr__(owner, field, int(value) if isinstance(value, Integral) else float(value))
    return problems


def settled_numbers(values: object, each: Range) -> tuple[float, ...]:
    """Return the numbers in a sequence as plain ones; none where one of them is out of range, or it is no sequence."""
    try:
        found: tuple[Any, ...] = () if isinstance(values, (str, bytes, Mapping)) else tuple(values)  # type: ignore[arg-type]
    except TypeError:
        return ()
    return () if any(each.problem(value) for value in found) else tuple(map(float, found))


def settle_flag(owner: object, field: str) -> list[str]:
    """Return what is wrong with a field of a frozen value that is true or false; NumPy's become Python's."""
    value = getattr(owner, field)
    if type(value).__name__ not in ("bool", "bool_"):
        return [f"{field.replace('_', ' ')} must be True or False, got {value!r}"]
    object.__setattr__(owner, field, bool(value))
    return []


def unknown(name: str, value: object, known: Sequence[str]) -> list[str]:
    """Return what is wrong with the word ``value`` of an option; nothing where it is known."""
    right = isinstance(value, str) and value in known
    return [] if right else [f"{name} must be one of {', '.join(known)}, got {value!r}"]


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether ``value`` is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)
