"""Options that several commands share, and the objects they become."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from seenn_convert.choices import (
    BACKEND_NAMES,
    BOUND_NAMES,
    CORRECTION_NAMES,
    DEPTHWISE_NAMES,
    ENCODE_NAMES,
    FRONT_NAMES,
    NEURON_NAMES,
    PRECISION_NAMES,
    PRESET_NAMES,
    RISK_NAMES,
    SCORE_NAMES,
    SEEDS,
    SKIPS_NAMES,
)
from seenn_convert.errors import InputError

if TYPE_CHECKING:
    from seenn_convert.calibration.rules import AutoRule, ThresholdRule
    from seenn_convert.data import EventFrames, Preprocessing
    from seenn_convert.exits.certificates.certificate import Certify
    from seenn_convert.exits.thresholds import ExitTarget
    from seenn_convert.workflows.convert.options import Options

F = TypeVar("F", bound=Callable[..., Any])


class Parsed(click.ParamType[Any]):
    """A value that ``parse`` makes of text; ``problem`` says what text is that raises ValueError."""

    def __init__(self, name: str, parse: Callable[[str], object], problem: str) -> None:
        self.name, self.parse, self.problem = name, parse, problem

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what ``value`` says."""
        try:
            return value if isinstance(value, tuple) else self.parse(str(value))
        except ValueError:
            self.fail(f"{value!r} is {self.problem}", param, ctx)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def _sizes(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() and 0 < int(part) < 2**31 for part in parts):
        raise ValueError
    return tuple(int(part) for part in parts)


def _sensor(text: str) -> tuple[int, ...]:
    sizes = _sizes(text)
    if len(sizes) != 2:
        raise ValueError
    return sizes


def _pair(text: str) -> tuple[float, float] | None:
    if text == "none":
        return None
    epsilon, delta = _numbers(text)
    return epsilon, delta


def _share(text: str) -> float:
    share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 < share <= 1:
        raise ValueError
    return share


def _front(text: str) -> str | int:
    return text if text in FRONT_NAMES else int(text)


FRONT = Parsed("none|auto|n", _front, "neither none nor auto nor a number of activations")
SHARE = Parsed("share", _share, "no accuracy like 0.93 or 93%")
NUMBERS = Parsed("a,b,c", _numbers, "not a list of numbers like 0.5,0.5,0.5")
SENSOR = Parsed("h,w", _sensor, "not a height and a width like 34,34")
COUNTS = Parsed("n,n,...", _sizes, "not a list of whole numbers above 0 like 1,64,256")
SHAPE = Parsed("c,h,w", _sizes, "not a shape like 3,32,32")
EPSILON_DELTA = Parsed("epsilon,delta", _pair, "neither a pair of numbers like 0.01,0.05 nor none")
PATH = click.Path(path_type=Path)
SEED = click.IntRange(*SEEDS)

output_name_option = click.option(
    "--output-name", help="Name or position of the output that holds the logits, if the model has several."
)
figures_option = click.option(
    "--figures", type=PATH, help="Folder for each plot as SVG, and as PDF and PNG with the extra 'figures' [none]."
)
device_option = click.option("--device", default="cpu", show_default=True, help="Device: cpu, cuda or cuda:1.")
backend_option = click.option(
    "--backend", type=click.Choice(BACKEND_NAMES),
    help="What runs the network: PyTorch (eager), PyTorch with a compiled timestep, which takes minutes once, an "
         "export in onnxruntime, or whichever is fastest if there is much work (auto) [eager, or the runtime of an "
         "export].",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
weights_option = click.option(
    "--weights", type=PATH, help="Weights (.safetensors or .pth) to load into the module that the factory returns."
)


def _at_most_one(context: click.Context, param: click.Parameter, values: tuple[Path, ...]) -> Path | None:
    """Return the one value, None if there is none."""
    if len(values) > 1:
        raise click.UsageError(f"{' and '.join(param.opts)} are two names of one option; give it once", context)
    return values[0] if values else None


def known_options(function: F) -> F:
    """Add what is known of the ANN on new images."""
    for option in (
        click.option("--ann-accuracy", type=SHARE,
                     help="Accuracy of the ANN on new images, 0.93 or 93%; warns if that on the calibration images "
                          "differs."),
        click.option("--exit-data", "--validation-data", "exit_data", type=PATH, multiple=True, callback=_at_most_one,
                     help="Images that the ANN was not trained on, best with labels; exits and certificate are fitted "
                          "to them [--calibration-data]."),
    ):  # fmt: skip
        function = option(function)
    return function


def batch_size_option(default: int) -> Callable[[F], F]:
    """Add the number of images that run together."""
    return click.option("--batch-size", type=click.IntRange(min=1), default=default, show_default=True,
                        help="Images per batch.")  # fmt: skip


def preprocessing_options(function: F) -> F:
    """Add the options that turn pixels into the model's input."""
    for option in (
        click.option("--sensor", type=SENSOR,
                     help="Height and width of the event camera in pixels [from the model, or 34,34 as N-MNIST's]."),
        click.option("--frames-by", type=click.Choice(["time", "count"]),
                     help="Whether each frame of events holds an equal part of the time or of the events [time]."),
        click.option("--frames", type=click.IntRange(min=1),
                     help="Make N frames of each event recording (N-MNIST files, .bin), one for each timestep."),
        click.option("--crop", type=click.IntRange(min=1), help="Crop the centre to N pixels."),
        click.option("--interpolation", type=click.Choice(["bilinear", "bicubic", "nearest"]),
                     help="Filter of --resize [bilinear]."),
        click.option("--resize", type=click.IntRange(min=1), help="Resize the shorter side to N pixels, then crop."),
        click.option("--std", type=NUMBERS, help="Standard deviation per channel, for pixels in [0, 1]."),
        click.option("--mean", type=NUMBERS, help="Mean per channel, for pixels in [0, 1]."),
        click.option("--preprocessing", metavar="LIBRARY:NAME",
                     help="Preprocessing of known weights instead of the options below: timm:resnet18.a1_in1k or "
                          "torchvision:ResNet18_Weights.IMAGENET1K_V1; the library must be installed."),
    ):  # fmt: skip
        function = option(function)
    return function


def exit_options(function: F) -> F:
    """Add the options that decide about the exits, and where that is computed."""
    for option in (
        json_option,
        click.option("--seed", type=SEED, default=0, show_default=True, help="Seed for drawing and splitting images."),
        click.option("--calibration-images", type=click.IntRange(min=0), default=1000, show_default=True,
                     help="Use at most N calibration images, and N exit images; of more, N are drawn, each class by "
                          "its share; 0 uses all."),
        device_option,
        batch_size_option(128),
        click.option("--precision", type=click.Choice(PRECISION_NAMES), default="float32", show_default=True,
                     help="What convolutions and linear layers of a timestep compute in; exits are fitted to it."),
        click.option("--score", type=click.Choice(SCORE_NAMES), default="confidence", show_default=True,
                     help="Exit score: largest probability (confidence), entropy, difference of the two largest "
                          "probabilities (margin) or logits (gap), log-sum-exp of the logits (energy), or the number "
                          "of timesteps with the same prediction (patience)."),
        click.option("--certify-bound", type=click.Choice(["auto", *BOUND_NAMES]), default="auto", show_default=True,
                     help="Statistical bound of the certificate; auto chooses the one that suits the risk."),
        click.option("--certify-risk", type=click.Choice(RISK_NAMES), default="disagreement", show_default=True,
                     help="What is certified: predictions that differ from the full run's, or lost accuracy (needs "
                          "labels)."),
        click.option("--certify", type=EPSILON_DELTA,
                     help="Certify that early exit changes at most EPSILON of predictions, with probability "
                          "1 - DELTA."),
        click.option("--target-ms", type=float, help="Average milliseconds per image on this machine to aim for."),
        click.option("--target-timesteps", type=float, help="Average number of timesteps to aim for."),
        click.option("--target-drop", type=float,
                     help="Accuracy that may be lost against the ANN, or the full run if there is none, in percentage "
                          "points [0.5]."),
    ):  # fmt: skip
        function = option(function)
    return function


def calibration_options(function: F) -> F:
    """Add the options of ``convert`` and ``calibrate``."""
    function = exit_options(function)
    for option in (
        click.option("--correction", type=click.Choice(CORRECTION_NAMES),
                     help="Correct each layer's mean output: by a bias per timestep, one bias for all, or the initial "
                          "membrane potential [timestep; bias with --calibration fast]."),
        click.option("--calibration", type=click.Choice(PRESET_NAMES), default="balanced", show_default=True,
                     help="Effort spent on accuracy; deep also tunes weights."),
        click.option("--per-layer", is_flag=True, help="Use one threshold per layer instead of one per channel."),
        click.option("--percentile", type=click.FloatRange(0, 100, min_open=True), default=99.9, show_default=True,
                     help="Percentile for --threshold percentile."),
        click.option("--levels", type=click.IntRange(min=1), default=8, show_default=True,
                     help="Quantisation levels for --threshold mse and balance."),
        click.option("--threshold", type=click.Choice(["auto", "max", "percentile", "mse", "balance"]),
                     default="auto", show_default=True,
                     help="Threshold rule; auto tries several and keeps the one with the smallest output error (with "
                          "--calibration fast, the one that suits T)."),
        click.option("--require-spiking", type=click.FloatRange(0, 1), default=0.0,
                     help="Fail if spikes drive less than this share of the multiply-accumulates [0]."),
        click.option("--front-budget", type=click.FloatRange(0, 1), default=0.125, show_default=True,
                     help="Largest share of the multiply-accumulates that --front auto may let run once per image, "
                          "what comes before the first activation included."),
        click.option("--front", type=FRONT, default="auto", show_default=True,
                     help="Analog front: leave the first N activations graded, so that they and the layers up to the "
                          "first neurons run once per image; auto tries what the budget allows and takes what is best "
                          "for the target."),
        click.option("--skips", type=click.Choice(SKIPS_NAMES), default="graded", show_default=True,
                     help="What a skip connection without weights carries: exact graded values, or spikes."),
        click.option("--depthwise", type=click.Choice(DEPTHWISE_NAMES), default="graded", show_default=True,
                     help="What depthwise convolutions read: exact graded values, for which they multiply at every "
                          "timestep, or spikes."),
        click.option("--encode", type=click.Choice(ENCODE_NAMES), default="auto", show_default=True,
                     help="Turn graded values into spikes before layers with weights; auto does so if spikes would "
                          "drive less than half of the multiply-accumulates, or a third with spikes of one size."),
        click.option("--neuron-levels", type=click.IntRange(min=1),
                     help="Levels of a neuron, or members of a group [tracking 32, multilevel 3, group 4]."),
        click.option("--neuron", type=click.Choice(NEURON_NAMES), default="signed", show_default=True,
                     help="Neuron type, by its spikes: -1, 0, +1 (signed); 0, +1 (if); powers of two of either sign "
                          "(multilevel) or positive only (multilevel-unsigned); small integers (group); any integer "
                          "(tracking)."),
        click.option("-T", "--timesteps", type=click.IntRange(min=1),
                     help="Maximum number of timesteps [16; for recordings, the number of their frames]."),
    ):  # fmt: skip
        function = option(function)
    return function


def make_preprocessing(given: Mapping[str, Any]) -> "Preprocessing":
    """Return the preprocessing that the options say.

    Raises:
        click.UsageError: Weights are named that say it, and an option says it, too.
    """
    from seenn_convert.data import Preprocessing
    from seenn_convert.data.known_weights import preprocessing_of_weights

    names = ("resize", "crop", "mean", "std", "interpolation")
    steps = {name: given[name] for name in names if given[name] is not None}
    events = _events(given)
    if any(abs(value) > 1 for value in given["mean"] or ()):
        raise click.UsageError("--mean is of pixels in [0, 1]; divide one of pixels in 0..255 by 255, and --std, too")
    if given["preprocessing"] is None:
        return Preprocessing(**steps, events=events)
    if steps:
        raise click.UsageError(f"--preprocessing says all of it; leave out {', '.join(f'--{name}' for name in steps)}")
    return replace(preprocessing_of_weights(given["preprocessing"]), events=events)


def _events(given: Mapping[str, Any]) -> "EventFrames | None":
    """Return how events become frames, None where the command line does not say it."""
    from seenn_convert.data.events import EventFrames

    if given["frames"] is None:
        if given["frames_by"] is not None or given["sensor"] is not None:
            raise click.UsageError("--frames-by and --sensor say how events become frames; give --frames, too")
        return None
    return EventFrames(given["frames"], given["frames_by"] or "time", given["sensor"])


def make_options(given: dict[str, Any], before: Mapping[str, Any] | None = None) -> "Options":
    """Return the conversion options that the command line says.

    Args:
        given: What the command line says, defaults included.
        before: ``Options.to_json()`` of an artifact; what the command line leaves out stays as it was there.

    Raises:
        click.UsageError: An option is given that the others leave without effect.
        InputError: An option is out of range, or the options of the artifact cannot be read.
    """
    from seenn_convert.calibration.rules import AutoRule
    from seenn_convert.workflows.convert.options import Options, options_from_json

    old = None if before is None else options_from_json(before, AutoRule() if told("threshold") else None)
    values: dict[str, Any] = {
        **{name: given[name] for name in SAME_NAMES},
        "per_channel": not given["per_layer"],
        "rule": _rule(given, None if old is None else old.rule),
        "certify": certify_of(given, None if old is None else old.certify),
        "target": target_of(given),
    }
    if old is not None:
        kept = {name for name in values if name not in OWN_DEFAULTS and not told(*CHANGED_BY.get(name, (name,)))}
        if values["certify"] is None and not told(*TARGETS):  # only a new certificate alone chooses the exit
            kept.add("target")
        values |= {name: getattr(old, name) for name in kept}
    if told("front_budget") and values["front"] != "auto":
        raise click.UsageError("--front-budget has no effect without --front auto")
    if values["timesteps"] is None:
        del values["timesteps"]
    return Options(**values)


SAME_NAMES = (
    "timesteps", "neuron", "neuron_levels", "encode", "skips", "depthwise", "front", "front_budget", "require_spiking",
    "calibration", "correction", "score", "calibration_images", "batch_size", "device", "seed",
    "precision",
)  # fmt: skip
OWN_DEFAULTS = ("batch_size", "device")
"""What an artifact does not record, since the result does not depend on it."""

TARGETS = ("target_drop", "target_timesteps", "target_ms")
CHANGED_BY: Mapping[str, tuple[str, ...]] = {
    "neuron_levels": ("neuron_levels", "neuron"),
    "per_channel": ("per_layer",),
    "rule": ("threshold", "levels", "percentile"),
    "correction": ("correction", "calibration"),
    "target": (*TARGETS, "certify"),
    "certify": ("certify", "certify_risk", "certify_bound"),
}
"""Option of the library -> options of the command line that change it, where the names differ or are several."""


def target_of(given: Mapping[str, Any]) -> "ExitTarget | None":
    """Return what early exit has to reach, None if nothing is said; raises click.UsageError for several targets."""
    from seenn_convert.exits.thresholds import ExitTarget

    targets = {"drop": given["target_drop"], "timesteps": given["target_timesteps"], "milliseconds": given["target_ms"]}
    if sum(value is not None for value in targets.values()) > 1:
        raise click.UsageError("give one of --target-drop, --target-timesteps and --target-ms")
    return None if not any(value is not None for value in targets.values()) else ExitTarget(**targets)


def certify_of(given: Mapping[str, Any], old: "Certify | None" = None) -> "Certify | None":
    """Return what to certify, None for nothing; what is not said is as in ``old``.

    Raises:
        click.UsageError: An option of a certificate is given without one.
    """
    from seenn_convert.exits.certificates.certificate import Certify

    numbers = given["certify"]
    if numbers is None and old is not None and not told("certify"):
        numbers = (old.epsilon, old.delta)
    for option in ("certify_risk", "certify_bound"):
        if told(option) and numbers is None:
            raise click.UsageError(f"--{option.replace('_', '-')} has no effect without --certify")
    if numbers is None:
        return None
    risk, bound = given["certify_risk"], given["certify_bound"]
    if old is not None:
        risk = risk if told("certify_risk") else old.risk
        bound = bound if told("certify_bound") else old.bound or "auto"
    return Certify(numbers[0], numbers[1], risk=risk, bound=None if bound == "auto" else bound)


def _rule(given: dict[str, Any], old: "ThresholdRule | AutoRule | None") -> "ThresholdRule | AutoRule":
    from seenn_convert.calibration.rules import AutoRule, BalanceRule, MaxRule, MseRule, PercentileRule

    rules: dict[str, ThresholdRule | AutoRule] = {
        "auto": AutoRule(),
        "max": MaxRule(),
        "percentile": PercentileRule(given["percentile"]),
        "mse": MseRule(given["levels"]),
        "balance": BalanceRule(given["levels"]),
    }
    rule = rules[given["threshold"]] if old is None or told("threshold") else old
    for option, owners in (("levels", ("mse", "balance")), ("percentile", ("percentile",))):
        if told(option) and not hasattr(rule, option):
            names = " or ".join(f"--threshold {owner}" for owner in owners)
            raise click.UsageError(f"--{option} has no effect without {names}")
    changed = {name: given[name] for name in ("levels", "percentile") if told(name)}
    return replace(rule, **changed) if changed else rule  # type: ignore[type-var]


def told(*names: str) -> bool:
    """Return whether the command line says one of ``names``; a default that stands does not count."""
    context = click.get_current_context(silent=True)
    if context is None:
        return False
    return any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in names)


def existing(path: Path) -> Path:
    """Return ``path``; raises InputError where nothing is there."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check the path")
    return path
