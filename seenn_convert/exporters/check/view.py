"""A network as a chip sees it: its call sites in order, each with its part and the facts that limits are about."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Fact = bool | int | float | str | tuple[int, ...] | tuple[str, ...]
"""What a limit may be about: a number, a word, or several of either."""

CONVOLUTION, LINEAR, NEURON, GRADED = "convolution", "linear", "neuron", "graded"
AVERAGE_POOL, MAX_POOL, SUM, CONCATENATION = "average_pool", "max_pool", "sum", "concatenation"
RESHAPE, AFFINE, FRAMES, OTHER = "reshape", "affine", "frames", "other"
PARTS = (
    CONVOLUTION, LINEAR, NEURON, GRADED, AVERAGE_POOL, MAX_POOL, SUM, CONCATENATION, RESHAPE, AFFINE, FRAMES, OTHER,
)  # fmt: skip
"""What a call site may be in a network, for a chip."""

WEIGHTED = (CONVOLUTION, LINEAR)
IMAGE, OUTPUT = "image", "output"
"""What is read at the start, and what reads at the end."""


@dataclass(frozen=True)
class Site:
    """One call site of the ANN, with what the conversion made of it.

    Attributes:
        name: Node name.
        operator: Class of the module, or the operator it stands for.
        part: Which of ``PARTS`` it is.
        source: Where it comes from in the user's model.
        macs: Multiply-accumulates for one image and one pass.
        share: Share of all multiply-accumulates.
        driven_by: ``spikes``, ``graded`` values or the ``image``; empty for a call without multiply-accumulates.
        in_front: Whether it belongs to an analog front, the neurons that read its values included.
        facts: Name -> fact; a fact that makes no sense for the call site is missing.
    """

    name: str
    operator: str
    part: str
    source: str
    macs: int
    share: float
    driven_by: str = ""
    in_front: bool = False
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """A network as a chip sees it.

    Attributes:
        name: For people.
        converted: Whether it is an artifact, so that its neurons are known; a model is only about to be converted.
        sites: Every call site, in order.
        facts: Facts of the whole: numbers of neurons and weights, inputs and outputs, exit score and policy.
    """

    name: str
    converted: bool
    sites: tuple[Site, ...]
    facts: Mapping[str, Fact]
