"""What an export target is: it says what it cannot express, writes files, and runs them beside the network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.errors import ExportError


@dataclass(frozen=True)
class Refusal:
    """A node that the target cannot express.

    Attributes:
        node: Its name, as ``inspect`` shows it.
        reason: What the target cannot say.
        remedy: What the user can do.
    """

    node: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.node}: {self.reason}; {self.remedy}"


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What came out when an export was run beside the network it was made from.

    Attributes:
        runtime: What ran it, with its version.
        images: How many images ran.
        made_up: Whether the images were made up, since none were given.
        largest_error: Of one timestep from the same state: the largest difference of a result, as a share of the
            largest value of its kind, where no neuron was on the edge of firing.
        flipped_rows: Rows in which a neuron on the edge of firing decided the other way.
        compared_rows: Rows of one timestep that were compared.
        answers_differ: Images whose answer differs after a whole run.
        exits_differ: Images that left at another timestep.
        answers_differ_by_rounding: Images whose answer differs if the network runs in double precision: what rounding
            alone does. None where that was not run.
        exits_differ_by_rounding: The same for the timestep.
        spikes: Spikes that the network sent in whole runs. None where the target shows no spikes.
        spikes_differ: Places and timesteps at which only one of the two sent a spike.
    """

    runtime: str
    images: int
    made_up: bool
    largest_error: float
    flipped_rows: int
    compared_rows: int
    answers_differ: int
    exits_differ: int
    answers_differ_by_rounding: int | None = None
    exits_differ_by_rounding: int | None = None
    spikes: int | None = None
    spikes_differ: int | None = None


class Exporter(Protocol):
    """One target; the workflow calls the three in this order."""

    @property
    def name(self) -> str:
        """What the command line calls it."""

    def refusals(self, artifact: Artifact) -> list[Refusal]:
        """Return every node that the target cannot express; nothing if it can be written."""

    def write(self, artifact: Artifact, folder: Path) -> None:
        """Write the target's files into an empty folder."""

    def verify(self, folder: Path, artifact: Artifact, images: Tensor) -> Verification:
        """Run what was written on preprocessed images ``(N, *input_shape)`` beside the network.

        Raises:
            ExportError: It cannot be run, or computes something else.
        """


def check_exportable(exporter: Exporter, artifact: Artifact) -> None:
    """Raise ExportError that lists every node that the target cannot express, unless there is none."""
    refuse_nodes(exporter.name, exporter.refusals(artifact))


def refuse_nodes(target: str, refusals: Sequence[Refusal]) -> None:
    """Raise ExportError that lists the ``refusals``, unless there are none."""
    if refusals:
        count = "1 node" if len(refusals) == 1 else f"{len(refusals)} nodes"
        lines = [f"{target} cannot express {count} of the network:", *(f"  {one}" for one in refusals)]
        raise ExportError("\n".join(lines))
