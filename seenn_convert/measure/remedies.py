"""What helps against each part of a layer's rate error: one option, and the sentence that says why."""

from dataclasses import dataclass
from typing import NamedTuple

from seenn_convert.artifact.artifact import Artifact


class Remedy(NamedTuple):
    """An option of ``convert``, None where no option helps, and a sentence with the option and the reason for it."""

    option: str | None
    sentence: str


@dataclass(frozen=True)
class Settings:
    """How a network was converted, as far as a remedy would change it.

    Attributes:
        timesteps: The longest run; None if it is not known.
        neuron: Neuron type.
        correction: Of every layer's mean output.
        chosen: Whether the threshold rule was chosen among several by the error that it left.
        unclipped: Layers whose thresholds clipped no activation in calibration.
    """

    timesteps: int | None = None
    neuron: str = ""
    correction: str = "timestep"
    chosen: bool = False
    unclipped: frozenset[str] = frozenset()

    @classmethod
    def of(cls, artifact: Artifact) -> "Settings":
        """Return the settings of an artifact."""
        options, calibration = artifact.provenance.options, artifact.provenance.calibration
        layers = {} if calibration is None else calibration.thresholds.layers
        return cls(
            timesteps=artifact.timesteps,
            neuron=str(options.get("neuron", "")),
            correction=str(options.get("correction", "timestep")),
            chosen=calibration is not None and bool(calibration.thresholds.choice),
            unclipped=frozenset(name for name, layer in layers.items() if layer.clipped_share == 0),
        )


def remedy_for(part: str, figure: float, layer: str, settings: Settings) -> Remedy:
    """Return what helps against a part of the rate error of ``layer``.

    Args:
        part: One of ``rate_error.PARTS`` that arises in the layer itself.
        figure: Its norm over the norm of the activation.
        layer: Node name.
        settings: How the network was converted.
    """
    if part == "clipping":
        return _against_clipping(figure, layer, settings)
    if part == "quantisation":
        return _against_quantisation(figure, layer, settings)
    return _against_arrival(part, figure, layer, settings)


def dead_remedy(layers: list[str], dead: int, channels: int) -> Remedy:
    """Return what to do where most channels, of ``layers`` or of all, were positive for no calibration image."""
    where = f" of {', '.join(layers)}" if layers else ""
    return Remedy(
        None,
        f"Check the preprocessing (--mean, --std, --resize, --crop) and that the calibration images are the model's "
        f"kind: {dead} of {channels} channels{where} were positive for none of them.",
    )


def _against_clipping(figure: float, layer: str, settings: Settings) -> Remedy:
    why = f"clipping takes {figure:.1%} of the activation of {layer}"
    if layer in settings.unclipped:
        return Remedy(
            None,
            f"Give more calibration images, or more varied ones: {why}, although in calibration "
            "its thresholds clipped nothing.",
        )
    if settings.chosen and settings.timesteps is not None:
        at_more = "can afford the larger thresholds that round too coarsely now"
        return _more_timesteps(why, at_more, settings)
    option = "--threshold max"
    return Remedy(option, f"Convert with {option}: {why}, its thresholds are too small.")


def _against_quantisation(figure: float, layer: str, settings: Settings) -> Remedy:
    why = f"rounding to whole spikes makes an error of {figure:.1%} of the activation of {layer}"
    if settings.neuron in ("signed", "if"):
        option = "--neuron multilevel"
        return Remedy(option, f"Convert with {option}: {why}, more levels round less.")
    return _more_timesteps(why, "round less", settings)


def _against_arrival(part: str, figure: float, layer: str, settings: Settings) -> Remedy:
    causes = {
        "startup": f"input that came late makes an error of {figure:.1%} of the activation of {layer}",
        "unevenness": f"the order in which input arrives makes an error of {figure:.1%} of the activation of {layer}",
    }
    why = causes[part]
    if settings.neuron == "if":
        option = "--neuron signed"
        return Remedy(option, f"Convert with {option}: {why}, and binary neurons cannot take back a spike.")
    if settings.correction != "timestep":
        option = "--correction timestep"
        return Remedy(option, f"Convert with {option}: {why}, and nothing corrects it timestep by timestep.")
    return _more_timesteps(why, "leave the start behind", settings)


def _more_timesteps(why: str, how: str, settings: Settings) -> Remedy:
    if settings.timesteps is None:
        return Remedy("-T", f"Convert with a larger -T: {why}, more timesteps {how}.")
    option = f"-T {2 * settings.timesteps}"
    return Remedy(option, f"Convert with {option} instead of {settings.timesteps}: {why}, more timesteps {how}.")
