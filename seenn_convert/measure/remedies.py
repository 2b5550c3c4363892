"""What helps against each part of a layer's rate error: one option, and the sentence that says why."""

from dataclasses import dataclass
from typing import NamedTuple

from seenn_convert.artifact.artifact import Artifact


class Remedy(NamedTuple):
    """An option of ``convert``, and a sentence with the option and the reason for it; None where nothing helps."""

    option: str | None = None
    sentence: str | None = None


CAUSES = {
    "startup": "input that came late makes an error of {figure:.1%} of the activation of {layer}",
    "clipping": "clipping takes {figure:.1%} of the activation of {layer}",
    "quantisation": "rounding to whole spikes makes an error of {figure:.1%} of the activation of {layer}",
    "unevenness": "the order in which input arrives makes an error of {figure:.1%} of the activation of {layer}",
}
"""What each part does."""

MORE_TIMESTEPS = {
    "startup": "leave the start behind",
    "clipping": "can afford the larger thresholds that round too coarsely now",
    "quantisation": "round less",
    "unevenness": "leave the start behind",
}
"""What more timesteps do against each part."""


@dataclass(frozen=True)
class Settings:
    """How a network was converted, as far as a remedy would change it.

    Attributes:
        timesteps: The longest run; None if it is not known.
        neuron: Neuron type.
        correction: Of every layer's mean output.
        chosen: Whether the threshold rule was chosen among several by the error that it left.
        unclipped: Layers whose thresholds clipped no activation in calibration.
        trained: Whether the network was trained further after its conversion.
    """

    timesteps: int | None = None
    neuron: str = ""
    correction: str = "timestep"
    chosen: bool = False
    unclipped: frozenset[str] = frozenset()
    trained: bool = False

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
            trained=artifact.provenance.finetuning is not None,
        )


def remedy_for(part: str, figure: float, layer: str, settings: Settings) -> Remedy:
    """Return what helps against a part of the rate error of ``layer``.

    ``part`` is one of ``rate_error.PARTS`` that arises in the layer itself, ``figure`` its norm over that of the
    activation.
    """
    why = CAUSES[part].format(figure=figure, layer=layer)
    match part:
        case "clipping" if layer in settings.unclipped:
            more = "Give more calibration images, or more varied ones"
            return Remedy(None, f"{more}: {why}, although in calibration its thresholds clipped nothing.")
        case "clipping" if not settings.chosen or settings.timesteps is None:
            option, reason = "--threshold max", "its thresholds are too small"
        case "quantisation" if settings.neuron in ("signed", "if"):
            option, reason = "--neuron multilevel", "more levels round less"
        case "startup" | "unevenness" if settings.neuron == "if":
            option, reason = "--neuron signed", "and binary neurons cannot take back a spike"
        case "startup" | "unevenness" if settings.correction != "timestep":
            option, reason = "--correction timestep", "and nothing corrects it timestep by timestep"
        case _ if settings.timesteps is None:
            return Remedy("-T", f"Convert with a larger -T: {why}, more timesteps {MORE_TIMESTEPS[part]}.")
        case _:
            option, instead = f"-T {2 * settings.timesteps}", f"instead of {settings.timesteps}"
            return Remedy(option, f"Convert with {option} {instead}: {why}, more timesteps {MORE_TIMESTEPS[part]}.")
    return Remedy(option, f"Convert with {option}: {why}, {reason}.")


def dead_remedy(layer: str | None, dead: int, channels: int) -> Remedy:
    """Return what to do where most channels, of ``layer`` or of all, were positive for no calibration image."""
    where = f" of {layer}" if layer else ""
    return Remedy(
        None,
        f"Check the preprocessing (--mean, --std, --resize, --crop) and that the calibration images are the model's "
        f"kind: {dead} of {channels} channels{where} were positive for none of them.",
    )
