"""The analog front of a network in ``report.json``: what it holds, and what else was tried."""

from dataclasses import dataclass

from seenn_convert.artifact.schema.shared import Share


@dataclass(frozen=True, kw_only=True)
class FrontTrial:
    """A front that was tried, with rough thresholds and biases, on calibration images that fitted neither.

    Attributes:
        activations: How many were left analog.
        share: Share of the multiply-accumulates that then run once per image.
        drop_at: Points of accuracy expected to be lost against the ANN if all images leave after timestep 1, 2, ...
        distance_at: Distance of the mean logits from the ANN's then, relative to these: what the choice rests on.
        average_timesteps: Mean exit step at the target, or if the run without a front ends with a larger loss, at that
            loss. These images fit the exits, too, which flatters all trials alike.
        expected_drop: Points expected to be lost then.
        reached: Whether that meets the target.
        nanojoule_per_image: Estimated energy then, the multiply-accumulates of the front included.
    """

    activations: int
    share: Share
    drop_at: tuple[float, ...]
    distance_at: tuple[float, ...]
    average_timesteps: float
    expected_drop: float
    reached: bool
    nanojoule_per_image: float


@dataclass(frozen=True, kw_only=True)
class FrontFacts:
    """The analog front: activations that no neurons stand for, since their input is the same at every timestep.

    Attributes:
        asked: ``"none"``, ``"auto"``, or a number of activations.
        budget: Share of the multiply-accumulates that ``"auto"`` may let run once per image.
        names: The activations in the front, in order.
        share: Share of the multiply-accumulates that run once per image: of all layers up to the first neurons.
        possible: Numbers of activations that a front may have: a single value crosses from it to the rest.
        tried: What ``"auto"`` tried, by the number of activations.
        images: How many images judged what was tried.
        off: Why ``"auto"`` tried nothing; empty if it did.
    """

    asked: str | int = "none"
    budget: Share = 0.0
    names: tuple[str, ...] = ()
    share: Share = 0.0
    possible: tuple[int, ...] = ()
    tried: tuple[FrontTrial, ...] = ()
    images: int = 0
    off: str = ""
