"""Options that several commands share, and the objects they become."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from seenn_convert.errors import InputError

if TYPE_CHECKING:
    from seenn_convert.calibration.rules import AutoRule, ThresholdRule
    from seenn_convert.data import Preprocessing
    from seenn_convert.exits.certificates.certificate import Certify
    from seenn_convert.exits.thresholds import ExitTarget
    from seenn_convert.workflows.convert.options import Options

F = TypeVar("F", bound=Callable[..., Any])


class Numbers(click.ParamType[tuple[float, ...]]):
    """Comma-separated numbers, one a channel or one for all."""

    name = "a,b,c"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """Return the numbers of ``value``."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers like 0.5,0.5,0.5", param, ctx)


class Shape(click.ParamType[tuple[int, ...]]):
    """Comma-separated sizes of one image."""

    name = "c,h,w"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the sizes of ``value``."""
        if isinstance(value, tuple):
            return value
        parts = str(value).split(",")
        if not all(part.strip().isdecimal() and 0 < int(part) < 2**31 for part in parts):
            self.fail(f"{value!r} is not a shape like 3,32,32", param, ctx)
        return tuple(int(part) for part in parts)


class EpsilonDelta(click.ParamType[tuple[float, float] | None]):
    """Two numbers above 0 and below 1, or none."""

    name = "epsilon,delta"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the two numbers of ``value``."""
        if isinstance(value, tuple) or value == "none":
            return value if value != "none" else None
        try:
            epsilon, delta = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is neither a pair of numbers like 0.01,0.05 nor none", param, ctx)
        return epsilon, delta


def output_name_option(function: F) -> F:
    """Add the option that chooses among several outputs of a model."""
    help_text = "Which output of the model is its logits, where it has several."
    return click.option("--output-name", help=help_text)(function)


def figures_option(function: F) -> F:
    """Add the option that also writes the plots as files."""
    help_text = "Folder for each plot as SVG, and as PDF and PNG with the extra 'figures' [none]."
    return click.option("--figures", type=click.Path(path_type=Path), help=help_text)(function)


NEURONS = ("signed", "if", "multilevel", "multilevel-unsigned", "group", "tracking")
"""The kinds of neurons; the library, which knows them too, is imported only when a command runs."""

SCORES = ("confidence", "entropy", "margin", "gap", "energy", "patience")
"""What an exit may be decided by, likewise."""

SEED = click.IntRange(-(2**63), 2**64 - 1)
"""What PyTorch's generator takes."""


def preprocessing_options(function: F) -> F:
    """Add the options that turn pixels into the model's input."""
    for option in (
        click.option("--crop", type=click.IntRange(min=1), help="Centre crop of N pixels."),
        click.option("--interpolation", type=click.Choice(["bilinear", "bicubic", "nearest"]),
                     help="Filter of --resize [bilinear]."),
        click.option("--resize", type=click.IntRange(min=1), help="Shorter side in pixels, before the crop."),
        click.option("--std", type=Numbers(), help="Standard deviation of each channel, of pixels in [0, 1]."),
        click.option("--mean", type=Numbers(), help="Mean of each channel, of pixels in [0, 1]."),
        click.option("--preprocessing", metavar="LIBRARY:NAME",
                     help="Preprocessing of known weights instead of the options below: timm:resnet18.a1_in1k or "
                          "torchvision:ResNet18_Weights.IMAGENET1K_V1; the library must be installed."),
    ):  # fmt: skip
        function = option(function)
    return function


def calibration_options(function: F) -> F:
    """Add the options of ``convert`` and ``calibrate``."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of the split of the data."),
        click.option("--device", default="cpu", show_default=True, help="Where to run: cpu, cuda, cuda:1."),
        click.option("--batch-size", type=click.IntRange(min=1), default=128, show_default=True, help="Rows together."),
        click.option("--score", type=click.Choice(SCORES), default="confidence", show_default=True,
                     help="What decides about leaving: largest probability, entropy, lead of the probabilities "
                          "(margin) or of the summed outputs (gap), log-sum-exp (energy), or an answer that stays "
                          "(patience)."),
        click.option("--certify-bound", type=click.Choice(["auto", "binomial", "betting"]), default="auto",
                     show_default=True, help="How it is certified; auto takes what suits the risk."),
        click.option("--certify-risk", type=click.Choice(["disagreement", "accuracy"]), default="disagreement",
                     show_default=True, help="Answers other than the full run's, or accuracy lost (needs labels)."),
        click.option("--certify", type=EpsilonDelta(),
                     help="Leaving early costs at most EPSILON of all images, but for a probability of DELTA."),
        click.option("--target-ms", type=float, help="Milliseconds an image to spend on average, on this machine."),
        click.option("--target-timesteps", type=float, help="Average timesteps to spend."),
        click.option("--target-drop", type=float, help="Points of accuracy that may be lost against the ANN [0.5]."),
        click.option("--correction", type=click.Choice(["none", "potential", "bias", "timestep"]),
                     help="Of every layer's mean output [timestep; with --calibration fast bias]."),
        click.option("--calibration", type=click.Choice(["fast", "balanced", "deep"]), default="balanced",
                     show_default=True, help="How much work to put into accuracy; deep tunes weights, too."),
        click.option("--per-layer", is_flag=True, help="One threshold a layer instead of one a channel."),
        click.option("--percentile", type=click.FloatRange(0, 100, min_open=True), default=99.9, show_default=True,
                     help="For --threshold percentile."),
        click.option("--levels", type=click.IntRange(min=1), default=8, show_default=True,
                     help="For --threshold mse and balance."),
        click.option("--threshold", type=click.Choice(["auto", "max", "percentile", "mse", "balance"]),
                     default="auto", show_default=True,
                     help="Threshold rule; auto takes the one of least error at the outputs, with fast one for T."),
        click.option("--require-spiking", type=click.FloatRange(0, 1), default=0.0,
                     help="Fail where spikes drive a smaller share of the multiply-accumulates."),
        click.option("--skips", type=click.Choice(["graded", "spiking"]), default="graded", show_default=True,
                     help="What skip connections carry to the next sum, where no weights multiply it."),
        click.option("--encode", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
                     help="Where graded values become spikes: auto, only in a network without ReLUs."),
        click.option("--neuron-levels", type=click.IntRange(min=1),
                     help="Levels of tracking [32] and multilevel neurons [3], members of a group [4]."),
        click.option("--neuron", type=click.Choice(NEURONS), default="signed", show_default=True,
                     help="Spikes are -1, 0, +1 (signed), 0, +1 (if), powers of two of either sign (multilevel) or "
                          "without (multilevel-unsigned), small whole numbers (group), or any (tracking)."),
        click.option("-T", "--timesteps", type=click.IntRange(min=1), default=16, show_default=True,
                     help="Longest run."),
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
    if given["preprocessing"] is None:
        return Preprocessing(**steps)
    if steps:
        raise click.UsageError(f"--preprocessing says all of it; leave out {', '.join(f'--{name}' for name in steps)}")
    return preprocessing_of_weights(given["preprocessing"])


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

    old = None if before is None else options_from_json(before, AutoRule() if _told("threshold") else None)
    values: dict[str, Any] = {
        **{name: given[name] for name in SAME_NAMES},
        "per_channel": not given["per_layer"],
        "rule": _rule(given, None if old is None else old.rule),
        "certify": _certify(given, None if old is None else old.certify),
        "target": _target(given),
    }
    if old is not None:
        kept = {name for name in values if name not in OWN_DEFAULTS and not _told(*CHANGED_BY.get(name, (name,)))}
        if values["certify"] is None and not _told(*TARGETS):  # only a new certificate alone chooses the exit
            kept.add("target")
        values |= {name: getattr(old, name) for name in kept}
    return Options(**values)


SAME_NAMES = (
    "timesteps", "neuron", "neuron_levels", "encode", "skips", "require_spiking", "calibration", "correction", "score",
    "batch_size", "device", "seed",
)  # fmt: skip
OWN_DEFAULTS = ("batch_size", "device", "require_spiking")
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


def _target(given: dict[str, Any]) -> "ExitTarget | None":
    from seenn_convert.exits.thresholds import ExitTarget

    targets = {"drop": given["target_drop"], "timesteps": given["target_timesteps"], "milliseconds": given["target_ms"]}
    if sum(value is not None for value in targets.values()) > 1:
        raise click.UsageError("give one of --target-drop, --target-timesteps and --target-ms")
    return None if not any(value is not None for value in targets.values()) else ExitTarget(**targets)


def _certify(given: dict[str, Any], old: "Certify | None") -> "Certify | None":
    from seenn_convert.exits.certificates.certificate import Certify

    numbers = given["certify"]
    if numbers is None and old is not None and not _told("certify"):
        numbers = (old.epsilon, old.delta)
    for option in ("certify_risk", "certify_bound"):
        if _told(option) and numbers is None:
            raise click.UsageError(f"--{option.replace('_', '-')} has no effect without --certify")
    if numbers is None:
        return None
    risk, bound = given["certify_risk"], given["certify_bound"]
    if old is not None:
        risk = risk if _told("certify_risk") else old.risk
        bound = bound if _told("certify_bound") else old.bound or "auto"
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
    rule = rules[given["threshold"]] if old is None or _told("threshold") else old
    for option, owners in (("levels", ("mse", "balance")), ("percentile", ("percentile",))):
        if _told(option) and not hasattr(rule, option):
            names = " or ".join(f"--threshold {owner}" for owner in owners)
            raise click.UsageError(f"--{option} has no effect without {names}")
    changed = {name: given[name] for name in ("levels", "percentile") if _told(name)}
    return replace(rule, **changed) if changed else rule  # type: ignore[type-var]


def _told(*names: str) -> bool:
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
