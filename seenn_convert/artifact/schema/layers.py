"""The table of neuron layers in an evaluation, and the diagnosis drawn from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One layer of neurons; None stands for what is not known.

    Attributes:
        name: Node name.
        neurons: Number of neurons.
        channels: Number of channels, the first axis behind the batch.
        v_threshold: Smallest, median and largest threshold, in units of the activation.
        firing_rate: Spikes, of either sign, per neuron and timestep; each member of a group that fires counts.
        rate_error: Norm of (mean output - activation) over the norm of the activation, after all timesteps.
        spikes_per_image: Over all timesteps.
        error_parts: What the rate error is made of, see ``rate_error.split_error``: the norm of each part over the norm
            of the activation. The parts add up to the error as vectors and may cancel, so their norms do not add up.
        input_error: The same of start-up and upstream together, which often cancel in part.
        saturated_channels: Channels that too often send the most they can, see ``layers.SATURATED_SHARE``; None if
            spikes may be of any size. Behind a clipped ReLU this may be what the ANN does.
        operation_share: Share of all synaptic operations that this layer's spikes cause.
        dead_channels: Channels that no calibration image activated.
    """

    name: str
    neurons: int | None = None
    channels: int | None = None
    v_threshold: tuple[float, float, float] | None = None
    firing_rate: float | None = None
    rate_error: float | None = None
    spikes_per_image: float | None = None
    error_parts: Mapping[str, float] = field(default_factory=dict)
    input_error: float | None = None
    saturated_channels: int | None = None
    operation_share: float | None = None
    dead_channels: int | None = None


@dataclass(frozen=True, kw_only=True)
class LayerDiagnosis:
    """One layer of neurons; None stands for what was not measured.

    Attributes:
        name: Node name.
        rate_error: Norm of (mean output - activation) over the norm of the activation.
        parts: Name of a part of the rate error -> its norm over the norm of the activation.
        mostly: The largest of them, after what start-up and upstream cancel of each other is taken off.
        own_error: What of the rate error arises in this layer: root of the sum of the squares of ``own_parts``, at
            most ``rate_error``.
        own_parts: The parts that arise in this layer, as far as they are not cancelled.
        channels: How many.
        dead_channels: How many were positive for no calibration image.
        saturated_channels: How many too often send the most they can.
    """

    name: str
    rate_error: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    mostly: str | None = None
    own_error: float | None = None
    own_parts: Mapping[str, float] = field(default_factory=dict)
    channels: int | None = None
    dead_channels: int | None = None
    saturated_channels: int | None = None


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What is wrong with the layers of a network.

    Attributes:
        layers: In graph order.
        breaks: Name of the first layer that breaks; None if none does.
        part: The largest of its own parts, or ``"dead"`` if dead channels are to blame.
        option: The option of ``convert`` that helps; None if none does.
        suggestion: A sentence that names the option and the figure behind it; None if nothing is to be done.
        trained: Whether the network was trained further: its layers need not follow the ANN's, and none breaks.
    """

    layers: tuple[LayerDiagnosis, ...] = ()
    breaks: str | None = None
    part: str | None = None
    option: str | None = None
    suggestion: str | None = None
    trained: bool = False
