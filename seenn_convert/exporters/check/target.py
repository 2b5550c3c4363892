"""A target: what it accepts, its limits, and where they are stated; read from a file that anyone can correct."""

import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from seenn_convert.choices import CHECK_TARGET_NAMES
from seenn_convert.errors import InputError, reason_of
from seenn_convert.exporters.check.rules import Rule
from seenn_convert.exporters.check.view import PARTS

FOLDER = Path(__file__).parent / "targets"


class Cores(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cores that hold one layer with weights each: entries of each core's three memories, core by core."""

    kernel: tuple[int, ...]
    neuron: tuple[int, ...]
    bias: tuple[int, ...]
    source: str

    def __post_init__(self) -> None:
        """Refuse memories of different numbers of cores."""
        if not len(self.kernel) == len(self.neuron) == len(self.bias):
            raise ValueError("kernel, neuron and bias must list as many cores each")


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One member of a family: the network must keep all limits of at least one; ``most`` is fact -> largest value."""

    name: str
    most: dict[str, int]
    source: str


class Precision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Number formats: bits of weights and states, and whether a layer or a channel shares a scale."""

    weight_bits: int
    weights_per: Literal["layer", "channel"]
    source: str
    state_bits: int | None = None


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence that holds for every network on the target."""

    text: str
    source: str


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a target can run.

    Attributes:
        title: Its name for people.
        runs: ``spikes``, timestep by timestep; or ``activations``, the ANN in one pass.
        front: What becomes of an analog front: work for the ``host``, ``refuse``, or run on the ``chip``.
        accepts: The parts that it can run.
        source: Where that is stated.
        remedies: Part that it cannot run -> what would help.
        rules: Its limits.
        cores: Its cores, if a layer needs one of its own.
        variants: Members of the family with limits of their own.
        precision: Its number formats, if they are known.
        notes: What holds for every network.
    """

    title: str
    runs: Literal["spikes", "activations"]
    front: Literal["host", "refuse", "chip"]
    accepts: tuple[str, ...]
    source: str
    remedies: dict[str, str] = {}
    rules: tuple[Rule, ...] = ()
    cores: Cores | None = None
    variants: tuple[Variant, ...] = ()
    precision: Precision | None = None
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        """Refuse parts that no network has."""
        unknown = [part for part in (*self.accepts, *self.remedies) if part not in PARTS]
        if unknown:
            raise ValueError(f"no part is called {', '.join(unknown)}; parts are {', '.join(PARTS)}")


def read_target(target: str | Path) -> tuple[str, Target]:
    """Return name and content of a target: one of ``CHECK_TARGET_NAMES``, or a file of the same form.

    Raises:
        InputError: There is no such target, or the file is not of that form; says what is wrong.
    """
    path = FOLDER / f"{target}.toml" if str(target) in CHECK_TARGET_NAMES else Path(target)
    if path.suffix != ".toml" or not path.is_file():
        known = ", ".join(CHECK_TARGET_NAMES)
        raise InputError(f"{target}: no such target; give one of {known}, or a .toml file with limits of your own")
    try:
        with path.open("rb") as file:
            return path.stem, msgspec.convert(tomllib.load(file), Target)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} does not describe a target ({reason_of(error)}); compare it with the files in {FOLDER}"
        ) from error
