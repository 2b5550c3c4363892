"""The kinds of neurons a network may be made of: each makes the layers that stand for its activations."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from torch import Tensor

from seenn_convert.errors import InputError
from seenn_convert.neuron import initial_membrane
from seenn_convert.spiking import (
    BinaryNeuron,
    EncodingNeuron,
    Neuron,
    SignedNeuron,
    TrackingEncoder,
    TrackingNeuron,
)


class NeuronKind(Protocol):
    """Makes layers of neurons of one kind."""

    @property
    def name(self) -> str:
        """The kind as options and reports call it."""
        ...

    def rectifying(self, v_threshold: Tensor, maximum: float = math.inf) -> Neuron:
        """Return the neurons for a ReLU that is clipped at ``maximum``.

        ``v_threshold`` broadcasts against one row ``(*F)``; it is the largest activation a binary neuron can express.
        """
        ...

    def encoding(self, v_threshold: Tensor) -> Neuron:
        """Return the neurons that send a graded signal of either sign as spikes."""
        ...


@dataclass(frozen=True)
class Signed:
    """Spikes -1, 0, +1; a ReLU's neuron only takes back what it has sent."""

    name: str = "signed"

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

    The emitted sum is always the rounded, rectified input sum: the reference other kinds are judged against.
    """

    levels: int = 32
    name: str = "tracking"

    def __post_init__(self) -> None:
        """Refuse a neuron without levels."""
        if self.levels < 1:
            raise InputError(f"a tracking neuron has at least 1 level, got {self.levels}")

    def rectifying(self, v_threshold: Tensor, maximum: float = math.inf) -> Neuron:
        """Return tracking neurons."""
        return _at_half(partial(TrackingNeuron, maximum=maximum), v_threshold / self.levels)

    def encoding(self, v_threshold: Tensor) -> Neuron:
        """Return neurons that send whole numbers of either sign."""
        return _at_half(TrackingEncoder, v_threshold / self.levels)


NEURON_KINDS: dict[str, NeuronKind] = {"signed": Signed(), "if": Binary(), "tracking": Tracking()}


def _at_half(make: Callable[[Tensor, Tensor], Neuron], v_threshold: Tensor) -> Neuron:
    """Return neurons that start at half their threshold."""
    return make(v_threshold, initial_membrane(v_threshold, v_threshold.shape))
