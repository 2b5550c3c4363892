"""The neuron types to choose from; each makes the layers that replace a network's activations."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from seenn_convert.choices import NEURON_NAMES, Range, settle_numbers
from seenn_convert.errors import InputError
from seenn_convert.neurons.law import initial_membrane
from seenn_convert.neurons.layers import (
    MOST_LEVELS,
    MOST_MEMBERS,
    BinaryNeuron,
    EncodingNeuron,
    GroupEncoder,
    GroupNeuron,
    MultiLevelEncoder,
    MultiLevelNeuron,
    Neuron,
    SignedNeuron,
    TrackingEncoder,
    TrackingNeuron,
    UnsignedMultiLevelNeuron,
)


@runtime_checkable
class NeuronType(Protocol):
    """Makes layers of neurons of one type; a user's own is given as ``Options(neuron=MyType())``."""

    @property
    def name(self) -> str:
        """The name used in options and reports."""
        ...

    @property
    def levels(self) -> int | None:
        """The value that ``--neuron-levels`` sets; None if the type has no levels."""
        ...

    @property
    def resolution(self) -> int:
        """The threshold divided by the smallest spike: how many levels one timestep can tell apart."""
        ...

    def rectifying(self, v_threshold: Tensor, maximum: float = math.inf) -> Neuron:
        """Return the neurons for a ReLU that is clipped at ``maximum``.

        ``v_threshold`` broadcasts against one row ``(*F)``; it is the largest activation that a neuron can express in
        every timestep. Only tracking neurons can send more.
        """
        ...

    def encoding(self, v_threshold: Tensor) -> Neuron:
        """Return the neurons that send a graded signal of either sign as spikes."""
        ...


class _Shared:
    """What the types of this package share: which layers they make; every neuron starts at half its threshold.

    Attributes:
        rectifier: The neurons for a ReLU.
        encoder: The neurons for a graded signal of either sign; None where spikes have no sign.
        unsigned: For the message about it: the words for such neurons, and the type to use instead.
        most: The largest number of levels, and the sentence about it.
        counted: The field that holds the number of levels; empty without levels.
    """

    rectifier: ClassVar[type[Neuron]]
    encoder: ClassVar[type[Neuron] | None] = None
    unsigned: ClassVar[tuple[str, str]]
    most: ClassVar[tuple[float, str]]
    counted: ClassVar[str] = ""
    name: str

    @property
    def levels(self) -> int | None:
        """Return the levels, if there are any."""
        return None

    @property
    def resolution(self) -> int:
        """Return the levels where each is one spike more, 1 without levels."""
        return self.levels or 1

    def __post_init__(self) -> None:
        """Check the number of levels and the name."""
        if self.counted and Range(1, self.most[0], whole=True).problem(getattr(self, self.counted)):
            raise InputError(f"{self.most[1]}, got {getattr(self, self.counted)!r}")
        settle_numbers(self, **({self.counted: Range(whole=True)} if self.counted else {}))
        if not isinstance(self.name, str) or not self.name:
            raise InputError(f"the name of a neuron type must be text, got {self.name!r}")

    def rectifying(self, v_threshold: Tensor, maximum: float = math.inf) -> Neuron:
        """Return neurons that cannot send more than ``maximum`` on average."""
        return self._made(self.rectifier, v_threshold.clamp(max=maximum))

    def encoding(self, v_threshold: Tensor) -> Neuron:
        """Return neurons that spike with either sign; raises InputError where spikes have no sign."""
        if self.encoder is None:
            words, other = self.unsigned
            raise InputError(
                f"{words} neurons cannot send graded signals of either sign; use --neuron {other}, or --encode never"
            )
        return self._made(self.encoder, v_threshold)

    def _made(self, kind: type[Neuron], v_threshold: Tensor, **options: float) -> Neuron:
        unit = v_threshold / self.resolution
        options = {name: getattr(self, name) for name in kind.options if name not in options} | options
        return kind(unit, initial_membrane(unit, unit.shape), **options)


@dataclass(frozen=True)
class Signed(_Shared):
    """Spikes -1, 0, +1; a ReLU's neuron only takes back what it has sent."""

    name: str = "signed"
    rectifier = SignedNeuron
    encoder = EncodingNeuron


@dataclass(frozen=True)
class Binary(_Shared):
    """Spikes 0, +1."""

    name: str = "if"
    rectifier = BinaryNeuron
    unsigned = ("binary", "signed")


@dataclass(frozen=True)
class Tracking(_Shared):
    """Graded spikes, any whole number of the ``levels``-th part of the calibrated threshold.

    The emitted sum is always the rounded, rectified input sum: the reference other types are judged against.
    """

    levels: int = 32
    name: str = "tracking"
    rectifier = TrackingNeuron
    encoder = TrackingEncoder
    most = (2**20, f"a tracking neuron has 1 to {2**20} levels")
    counted = "levels"

    def rectifying(self, v_threshold: Tensor, maximum: float = math.inf) -> Neuron:
        """Return tracking neurons, which clip their sum and not their threshold."""
        return self._made(TrackingNeuron, v_threshold, maximum=maximum)


@dataclass(frozen=True)
class MultiLevel(_Shared):
    """Spikes 0 and powers of two of either sign; the largest of the ``levels`` is the calibrated threshold."""

    levels: int = 3
    name: str = "multilevel"
    rectifier: ClassVar[type[Neuron]] = MultiLevelNeuron
    encoder: ClassVar[type[Neuron] | None] = MultiLevelEncoder
    counted = "levels"
    most = (MOST_LEVELS, f"a multi-level neuron has 1 to {MOST_LEVELS} levels")

    @property
    def resolution(self) -> int:
        """Return the largest spike in units of the smallest."""
        return 1 << (self.levels - 1)


@dataclass(frozen=True)
class UnsignedMultiLevel(MultiLevel):
    """Spikes 0 and positive powers of two; the largest of the ``levels`` is the calibrated threshold."""

    name: str = "multilevel-unsigned"
    rectifier = UnsignedMultiLevelNeuron
    encoder = None
    unsigned = ("unsigned multi-level", "multilevel")


@dataclass(frozen=True)
class Group(_Shared):
    """Spikes are whole numbers of either sign, one for each of the ``members``; all at once are the threshold."""

    members: int = 4
    name: str = "group"
    rectifier = GroupNeuron
    encoder = GroupEncoder
    counted = "members"
    most = (MOST_MEMBERS, f"a group has 1 to {MOST_MEMBERS} members")

    @property
    def levels(self) -> int:
        """Return the members."""
        return self.members


def can_encode(neuron: NeuronType) -> bool:
    """Return whether neurons of a type can send a graded signal of either sign."""
    try:
        neuron.encoding(torch.ones(1))
    except InputError:
        return False
    return True


NEURON_TYPES: Mapping[str, NeuronType] = dict(
    zip(NEURON_NAMES, (Signed(), Binary(), Tracking(), MultiLevel(), UnsignedMultiLevel(), Group()), strict=True)
)

WITH_LEVELS: dict[str, Callable[[int], NeuronType]] = {
    "tracking": Tracking,
    "multilevel": MultiLevel,
    "multilevel-unsigned": UnsignedMultiLevel,
    "group": Group,
}
"""Types with levels, by name; the levels of a group are its members."""


def neuron_type(name: str, levels: int | None = None) -> NeuronType:
    """Return the type called ``name``, a key of ``NEURON_TYPES``, with ``levels`` or its default number of levels.

    Raises:
        InputError: The type has no levels, or not that many.
    """
    if levels is None:
        return NEURON_TYPES[name]
    if name not in WITH_LEVELS:
        raise InputError(f"{name} neurons have no levels; neuron types with levels: {', '.join(WITH_LEVELS)}")
    return WITH_LEVELS[name](levels)
