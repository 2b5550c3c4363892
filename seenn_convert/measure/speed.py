"""How fast a network is beside its rivals, as values."""

from collections.abc import Mapping
from dataclasses import dataclass

from seenn_convert.artifact.schema.shared import Environment
from seenn_convert.measure.latency import Latency


@dataclass(frozen=True, kw_only=True)
class Timed:
    """One way of running one network, at one batch size.

    Attributes:
        name: The network and what runs it, such as ``spiking eager`` and ``ANN onnxruntime int8``.
        batch: Images that were given together.
        rows: Rows that ran together; fewer than ``batch`` if their state is large.
        milliseconds: Wall time per image, the median of the rounds; of single images the mean.
        processor: Processor time per image in milliseconds, in the same way.
        step: Milliseconds per image of one timestep; None for an ANN.
        over_ann: The timestep over a forward pass of the ANN in the same runtime; None if that did not run.
        average_timesteps: Mean exit step; None for an ANN.
        efficiency: Wall time over that of all T timesteps, divided by the share of timesteps: 1 if leaving early saves
            what it promises, more if it saves less.
        latency: Of single images; None for batches.
        under_load: Latency of single images that queue for one worker, simulated; None if it cannot keep up.
        peak_megabytes: Memory beyond what was held before; None if the system does not tell.
    """

    name: str
    batch: int
    rows: int
    milliseconds: float
    processor: float
    step: float | None = None
    over_ann: float | None = None
    average_timesteps: float | None = None
    efficiency: float | None = None
    latency: Latency | None = None
    under_load: Latency | None = None
    peak_megabytes: float | None = None

    @property
    def images_per_second(self) -> float:
        """Throughput."""
        return 1000 / self.milliseconds


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What one way of running a network answers.

    Attributes:
        name: As in ``Timed``.
        accuracy: Share right; None without labels.
        as_ann: Share of the answers that are those of the ANN in PyTorch; None without one.
        same_exits: Share of the images that leave at the timestep at which they leave in PyTorch; None for an ANN.
    """

    name: str
    accuracy: float | None
    as_ann: float | None
    same_exits: float | None = None


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What ``bench`` measured.

    Attributes:
        network: Name of the model that was converted.
        timesteps: The longest run T.
        images: How many images ran in batches.
        made_up: Whether they were made up: exits, and what depends on them, then mean nothing.
        threads: Threads of PyTorch and onnxruntime.
        rounds: How often everything ran, in turn.
        arrivals: Requests per second under load; None if no single images ran.
        timed: One value for each way and batch size.
        answers: One value for each way.
        left_out: Way -> why it did not run.
        environment: Where it was measured.
    """

    network: str
    timesteps: int
    images: int
    made_up: bool
    threads: int
    rounds: int
    arrivals: float | None
    timed: tuple[Timed, ...]
    answers: tuple[Answers, ...]
    left_out: Mapping[str, str]
    environment: Environment
