"""What a check finds: about a call site or the whole network, against which limit, and what would help."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["fits", "host", "refused"]
Weight = Literal["refused", "note"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One limit that a call site, or the network, does not keep; or something that a user should know.

    Attributes:
        rule: Name of the rule.
        weight: ``refused`` if the target cannot run it, ``note`` if it can but differs from the artifact.
        reason: One sentence, with the number and the limit.
        found: The fact, as text.
        limit: The limit, as text.
        remedy: What would help.
        source: Where the limit is stated.
    """

    rule: str
    weight: Weight
    reason: str
    found: str = ""
    limit: str = ""
    remedy: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class SiteFit:
    """Whether one call site fits.

    Attributes:
        name: Node name.
        operator: What is called.
        part: Its part in the network.
        place: Where it comes from in the user's model.
        share: Share of all multiply-accumulates.
        verdict: ``fits``, ``host`` if it is left to the computer beside the chip, or ``refused``.
        findings: What was found.
    """

    name: str
    operator: str
    part: str
    place: str
    share: float
    verdict: Verdict
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CoreLoad:
    """One layer on one core, and how much of the core's memory it takes, in entries.

    Attributes:
        layer: Node name of the layer with weights.
        core: Number of the core; None if the layer found none.
        kernel, neuron, bias: Entries that the layer needs.
        kernel_room, neuron_room, bias_room: Entries that the core has, 0 without a core.
        cores: Every core that the layer alone would fit.
    """

    layer: str
    core: int | None
    kernel: int
    neuron: int
    bias: int
    kernel_room: int = 0
    neuron_room: int = 0
    bias_room: int = 0
    cores: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Competition:
    """Layers that fit no other cores than ``cores``, which are fewer.

    Attributes:
        layers: Node names.
        cores: Numbers of the cores.
    """

    layers: tuple[str, ...]
    cores: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class PrecisionEffect:
    """What the target's number formats do to the answers, simulated on images.

    Attributes:
        images: How many.
        weight_bits: Bits of a weight.
        weights_per: Whether a scale is shared by a ``layer`` or a ``channel``.
        state_bits: Bits of a membrane potential, None if they were not limited.
        answers_changed: Images whose answer differs.
        exits_changed: Images that leave at another timestep.
        accuracy: Before and after, None without labels.
        average_timesteps: Before and after.
        saturated: Share of the states that met the limit of their format, over all layers and timesteps.
    """

    images: int
    weight_bits: int
    weights_per: str
    state_bits: int | None
    answers_changed: int
    exits_changed: int
    accuracy: tuple[float, float] | None
    average_timesteps: tuple[float, float]
    saturated: float


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Shares in [0, 1] that are on the chip, left to the host, and refused; they sum to 1."""

    fits: float
    host: float
    refused: float


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Whether a network fits a target, and why not.

    Attributes:
        network: What was checked.
        target: Name of the target.
        title: Its name for people.
        fits: Whether nothing was refused.
        of_nodes: Shares of the call sites.
        of_work: Shares of the multiply-accumulates.
        findings: About the network as a whole.
        sites: About every call site, in order.
        cores: Layer by layer, where the target has cores.
        competitions: Layers that have too few cores between them; empty if each that fits a core found one.
        precision: What the target's number formats do, if images were given.
        notes: What holds for every network on this target.
    """

    network: str
    target: str
    title: str
    fits: bool
    of_nodes: Shares
    of_work: Shares
    findings: tuple[Finding, ...] = ()
    sites: tuple[SiteFit, ...] = ()
    cores: tuple[CoreLoad, ...] = ()
    competitions: tuple[Competition, ...] = ()
    precision: PrecisionEffect | None = None
    notes: tuple[str, ...] = ()

    @property
    def refused(self) -> tuple[SiteFit, ...]:
        """The call sites that the target cannot run."""
        return tuple(site for site in self.sites if site.verdict == "refused")


def shares(verdicts: Sequence[Verdict], weights: Sequence[float]) -> Shares:
    """Return which share of ``weights`` each verdict has; a network without any has nothing to refuse."""
    total = sum(weights)
    if total <= 0:
        return Shares(fits=1.0, host=0.0, refused=0.0)

    def of(verdict: Verdict) -> float:
        return sum(weight for one, weight in zip(verdicts, weights, strict=True) if one == verdict) / total

    return Shares(fits=of("fits"), host=of("host"), refused=of("refused"))
