"""Options that several commands share, and the objects they become."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from seenn_convert.errors import InputError

if TYPE_CHECKING:
    from seenn_convert.calibration.rules import AutoRule, ThresholdRule
    from seenn_convert.data import Preprocessing
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
        click.option("--resize", type=click.IntRange(min=1), help="Shorter side in pixels, before the crop."),
        click.option("--std", type=Numbers(), help="Standard deviation of each channel, of pixels in [0, 1]."),
        click.option("--mean", type=Numbers(), help="Mean of each channel, of pixels in [0, 1]."),
    ):
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


def make_preprocessing(
    mean: tuple[float, ...] | None, std: tuple[float, ...] | None, resize: int | None, crop: int | None
) -> "Preprocessing":
    """Return the preprocessing that the options say."""
    from seenn_convert.data import Preprocessing

    return Preprocessing(resize=resize, crop=crop, mean=mean, std=std)


def make_options(given: dict[str, Any]) -> "Options":
    """Return the conversion options that the command line says.

    Raises:
        click.UsageError: An option is given that the others leave without effect.
    """
    for option, rules in (("levels", ("mse", "balance")), ("percentile", ("percentile",))):
        if _is_given(option) and given["threshold"] not in rules:
            names = " or ".join(f"--threshold {rule}" for rule in rules)
            raise click.UsageError(f"--{option} has no effect without {names}")
    from seenn_convert.exits.certificates.certificate import Certify
    from seenn_convert.exits.thresholds import ExitTarget
    from seenn_convert.workflows.convert.options import Options

    for option in ("certify_risk", "certify_bound"):
        if _is_given(option) and given["certify"] is None:
            raise click.UsageError(f"--{option.replace('_', '-')} has no effect without --certify")
    certify = given["certify"]
    if certify is not None:
        bound = None if given["certify_bound"] == "auto" else given["certify_bound"]
        certify = Certify(certify[0], certify[1], risk=given["certify_risk"], bound=bound)
    targets = {"drop": given["target_drop"], "timesteps": given["target_timesteps"], "milliseconds": given["target_ms"]}
    targets = {name: value for name, value in targets.items() if value is not None}
    if len(targets) > 1:
        raise click.UsageError("give one of --target-drop, --target-timesteps and --target-ms")
    return Options(
        timesteps=given["timesteps"],
        neuron=given["neuron"],
        neuron_levels=given["neuron_levels"],
        encode=given["encode"],
        skips=given["skips"],
        require_spiking=given["require_spiking"],
        rule=_rule(given),
        per_channel=not given["per_layer"],
        calibration=given["calibration"],
        correction=given["correction"],
        target=ExitTarget(**targets) if targets else None,
        certify=certify,
        score=given["score"],
        batch_size=given["batch_size"],
        device=given["device"],
        seed=given["seed"],
    )


def inherit(given: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``given`` with what the command line leaves out taken from the options an artifact was made with.

    Args:
        given: What the command line says, defaults included.
        options: ``Options.to_json()`` of before.
    """
    told = {name for name in given if _is_given(name)}
    found = {**options, "per_layer": not options.get("per_channel", True)}
    rule, *number = str(options.get("threshold", "auto")).replace(",", "").split()
    found |= {"threshold": rule, "levels": int(number[0]) if rule in ("mse", "balance") else given["levels"]}
    found["percentile"] = float(number[0]) if rule == "percentile" else given["percentile"]
    if "neuron" in told:
        found["neuron_levels"] = None
    names = {"target_drop": "drop", "target_timesteps": "timesteps", "target_ms": "milliseconds"}
    replaced = {*names, "certify"} if given["certify"] else {*names}  # a new certificate alone chooses the exit
    if not replaced & told:
        found |= {name: (options.get("target") or {}).get(key) for name, key in names.items()}
    certify = options.get("certify")
    found |= {"certify": None, "certify_risk": given["certify_risk"], "certify_bound": given["certify_bound"]}
    if certify:
        found["certify"] = (certify["epsilon"], certify["delta"])
        found |= {"certify_risk": certify["risk"], "certify_bound": certify["bound"] or "auto"}
    if "calibration" in told:
        found["correction"] = None
    return {name: value if name in told else found.get(name, value) for name, value in given.items()}


def _is_given(name: str) -> bool:
    """Return whether the command line says ``name``, which is not so where its default stands."""
    context = click.get_current_context(silent=True)
    return context is not None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def existing(path: Path) -> Path:
    """Return ``path``; raises InputError where nothing is there."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check the path")
    return path


def read_class_names(path: Path) -> tuple[str, ...]:
    """Return the names in a text file, one a line; raises InputError where it is no such file or a name is missing."""
    try:
        names = tuple(line.strip() for line in path.read_text(encoding="utf-8-sig").rstrip().splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error}); give a file with one class name a line") from error
    doubled = sorted({name for name in names if names.count(name) > 1})
    if not all(names) or doubled:
        what = f"{', '.join(doubled)} stands there twice" if doubled and all(doubled) else "a line is empty"
        raise InputError(f"{path}: {what}; give one class name a line, a different one for each class")
    return names


def _rule(given: dict[str, Any]) -> "ThresholdRule | AutoRule":
    from seenn_convert.calibration.rules import AutoRule, BalanceRule, MaxRule, MseRule, PercentileRule

    rules: dict[str, ThresholdRule | AutoRule] = {
        "auto": AutoRule(),
        "max": MaxRule(),
        "percentile": PercentileRule(given["percentile"]),
        "mse": MseRule(given["levels"]),
        "balance": BalanceRule(given["levels"]),
    }
    return rules[given["threshold"]]
