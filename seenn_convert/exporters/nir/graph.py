"""A network in the words of NIR: nodes without a batch axis, and edges; what meets at a node is summed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from torch import Tensor

from seenn_convert.errors import ExportError

Edge = tuple[str, str]
INPUT, OUTPUT = "input", "output"


@dataclass(frozen=True)
class Convolution:
    """``weight`` ``(O, I / groups, *K)`` and ``bias`` ``(O,)``; the options have an entry per axis."""

    weight: Tensor
    bias: Tensor
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1


@dataclass(frozen=True)
class Dense:
    """``weight`` ``(O, I)`` and ``bias`` ``(O,)``."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True)
class Pool:
    """The mean, or the sum, of each window of a map ``(C, H, W)``."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    mean: bool


@dataclass(frozen=True)
class Flatten:
    """All axes of ``shape`` become one."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Neurons:
    """Integrate-and-fire neurons: ``v += resistance * dt * input``; a spike of 1 subtracts ``threshold`` from v.

    Attributes:
        v_initial: Membrane potential before the first timestep, of the full shape; a file has it as metadata only.
        threshold: Of all of them.
        strict: Whether it takes more than the threshold to fire.
        resistance: Of all of them.
    """

    v_initial: Tensor
    threshold: float
    strict: bool
    resistance: float


@dataclass(frozen=True)
class Synaptic:
    """Current-based leaky neurons (``nir.CubaLIF``), with time constants that leave integrate-and-fire neurons.

    The current is the input if ``tau_synapse`` is the timestep, and next to nothing leaks if ``tau_membrane`` is many.
    """

    v_initial: Tensor
    threshold: float
    tau_synapse: float
    tau_membrane: float
    resistance: float


@dataclass(frozen=True)
class Integrator:
    """``v += resistance * dt * input``; sends v. ``resistance`` has the full shape."""

    resistance: Tensor


@dataclass(frozen=True)
class Threshold:
    """Sends 1 where its input is above ``threshold``, of the full shape."""

    threshold: Tensor


@dataclass(frozen=True)
class Scale:
    """Multiplies by ``factor``, of the full shape."""

    factor: Tensor


Node = Convolution | Dense | Pool | Flatten | Neurons | Synaptic | Integrator | Threshold | Scale


@dataclass(frozen=True)
class NirGraph:
    """A network.

    Attributes:
        input_shape: Of one image.
        output_shape: Of what one timestep sends.
        nodes: Name -> node; ``"input"`` and ``"output"`` are not among them.
        edges: From node to node.
        dt: Length of a timestep in seconds.
    """

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()
    dt: float = 1.0

    def sources(self, name: str) -> list[str]:
        """Return the nodes that a node reads."""
        return [source for source, target in self.edges if target == name]

    def is_late(self, edge: Edge) -> bool:
        """Return whether a value on this edge arrives one timestep later: it leads from a scale to an integrator.

        In the cycle of integrator, threshold and scale the reset then comes before the next input, as it must.
        """
        source, target = (self.nodes.get(end) for end in edge)
        return isinstance(source, Scale) and isinstance(target, Integrator)

    def in_order(self) -> Iterator[str]:
        """Return the nodes, each behind those that it reads within a timestep.

        Raises:
            ExportError: There is another cycle than that of a reset.
        """
        waits: dict[str, set[str]] = {name: set() for name in (INPUT, *self.nodes, OUTPUT)}
        for edge in self.edges:
            if not self.is_late(edge):
                waits[edge[1]].add(edge[0])
        try:
            return iter([*TopologicalSorter(waits).static_order()])
        except CycleError as error:
            path = " -> ".join(error.args[1])
            raise ExportError(f"{path} is a cycle that is no reset of neurons; export the network again") from error
