"""The neuron types to choose from; each makes the layers that replace a network's activations."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor

from seenn_convert.choices import NEURON_NAMES
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


@dataclass(frozen=True)
class Signed:
    """Spikes -1, 0, +1; a ReLU's neuron only takes back what it has sent."""

    name: str = "signed"
    levels: ClassVar[None] = None
    resolution: ClassVar[int] = 1

    def rectifying(self, v_threshold: Tensor, maximum: float = math.inf) -> Neuron:
        """Return signed neurons, which cannot send more than ``maximum`` on average."""
        return _at_half(SignedNeuron, v_threshold.clamp(max=maximum))

    def encoding(self, v_threshold: Tensor) -> Neuron:
        """Return neurons that spike with either sign."""
        return _at_half(EncodingNeuron, v_threshold)


@dataclass(frozen=True)
class Binary:
    """Spikes 0, +1."""

    name: str = "if"
    levels: ClassVar[None] = None
    resolution: ClassVar[int] = 1

    def rectifying(self, v_threshold: Tensor, maximum: float = math.inf) -> Neuron:
        """Return binary neurons, which cannot send more than ``maximum`` on average."""
        return _at_half(BinaryNeuron, v_threshold.clamp(max=maximum))

    def encoding(self, v_threshold: Tensor) -> Neuron:
        """Raise InputError: a binary spike has no sign."""
        raise InputError(
            "binary neurons cannot send graded signals of either sign; use --neuron signed, or --encode never"
        )


@dataclass(frozen=True)
class Tracking:
    """Graded spikes, any whole number of the ``levels``-th part of the calibrated threshold.

    The emitted sum is always the rounded, rectified input sum: the reference other types are judged against.
    """

    levels: int = 32
    name: str = "tracking"

    def __post_init__(self) -> None:
        """Check the number of levels."""
        if self.levels < 1:
            raise InputError(f"a tracking neuron has at least 1 level, got {self.levels}")

    @property
    def resolution(self) -> int:
        """Return the levels: each is one spike more."""
        return self.levels

    def rectifying(self, v_threshold: Tensor, maximum: float = math.inf) -> Neuron:
        """Return tracking neurons."""
        return _at_half(partial(TrackingNeuron, maximum=maximum), v_threshold / self.levels)

    def encoding(self, v_threshold: Tensor) -> Neuron:
        """Return neurons that send whole numbers of either sign."""
        return _at_half(TrackingEncoder, v_threshold / self.levels)


@dataclass(frozen=True)
class _PowersOfTwo:
    levels: int = 3

    def __post_init__(self) -> None:
        """Check the number of levels."""
        if not 1 <= self.levels <= MOST_LEVELS:
            raise InputError(f"a multi-level neuron has 1 to {MOST_LEVELS} levels, got {self.levels}")

    @property
    def resolution(self) -> int:
        """Return the largest spike in units of the smallest."""
        return 1 << (self.levels - 1)


@dataclass(frozen=True)
class MultiLevel(_PowersOfTwo):
    """Spikes 0 and powers of two of either sign; the largest of the ``levels`` is the calibrated threshold."""

    name: str = "multilevel"

    def rectifying(self, v_threshold: Tensor, maximum: float = math.inf) -> Neuron:
        """Return multi-level neurons, which cannot send more than ``maximum`` on average."""
        unit = v_threshold.clamp(max=maximum) / self.resolution
        return _at_half(partial(MultiLevelNeuron, levels=self.levels), unit)

    def encoding(self, v_threshold: Tensor) -> Neuron:
        """Return neurons that send powers of two of either sign."""
        return _at_half(partial(MultiLevelEncoder, levels=self.levels), v_threshold / self.resolution)


@dataclass(frozen=True)
class UnsignedMultiLevel(_PowersOfTwo):
    """Spikes 0 and positive powers of two; the largest of the ``levels`` is the calibrated threshold."""

    name: str = "multilevel-unsigned"

    def rectifying(self, v_threshold: Tensor, maximum: float = math.inf) -> Neuron:
        """Return multi-level neurons without negative spikes, which cannot send more than ``maximum`` on average."""
        unit = v_threshold.clamp(max=maximum) / self.resolution
        return _at_half(partial(UnsignedMultiLevelNeuron, levels=self.levels), unit)

    def encoding(self, v_threshold: Tensor) -> Neuron:
        """Raise InputError: these spikes have no sign."""
        raise InputError(
            "unsigned multi-level neurons cannot send graded signals of either sign; use --neuron multilevel, or "
            "--encode never"
        )


@dataclass(frozen=True)
class Group:
    """Spikes are whole numbers of either sign, one for each of the ``members``; all at once are the threshold."""

    members: int = 4
    name: str = "group"

    def __post_init__(self) -> None:
        """Check the number of members."""
        if not 1 <= self.members <= MOST_MEMBERS:
            raise InputError(f"a group has 1 to {MOST_MEMBERS} members, got {self.members}")

    @property
    def levels(self) -> int:
        """Return the members."""
        return self.members

    @property
    def resolution(self) -> int:
        """Return the members: each is one spike more."""
        return self.members

    def rectifying(self, v_threshold: Tensor, maximum: float = math.inf) -> Neuron:
        """Return groups, which cannot send more than ``maximum`` on average."""
        unit = v_threshold.clamp(max=maximum) / self.members
        return _at_half(partial(GroupNeuron, members=self.members), unit)

    def encoding(self, v_threshold: Tensor) -> Neuron:
        """Return groups that spike with either sign."""
        return _at_half(partial(GroupEncoder, members=self.members), v_threshold / self.members)


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


def _at_half(make: Callable[[Tensor, Tensor], Neuron], v_threshold: Tensor) -> Neuron:
    """Return neurons that start at half their threshold."""
    return make(v_threshold, initial_membrane(v_threshold, v_threshold.shape))
