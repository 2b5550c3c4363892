"""What a user may choose about a conversion, checked when it is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard

from seenn_convert.calibration.rules import AutoRule, ThresholdRule, rule_from_json, rule_to_json
from seenn_convert.devices import check_device
from seenn_convert.errors import InputError
from seenn_convert.exits.certificates.certificate import Certify
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.ir.scores import SCORE_NAMES, ScoreName
from seenn_convert.neurons.types import NEURON_TYPES, NeuronType, neuron_type
from seenn_convert.passes.sequence import ENCODE_NAMES, SKIPS_NAMES, Encode, Skips

Preset = Literal["fast", "balanced", "deep"]
PRESET_NAMES: tuple[Preset, ...] = ("fast", "balanced", "deep")

Correction = Literal["none", "potential", "bias", "timestep"]
CORRECTION_NAMES: tuple[Correction, ...] = ("none", "potential", "bias", "timestep")

SEEDS = (-(2**63), 2**64 - 1)
"""Smallest and largest seed of PyTorch's generator."""


@dataclass(frozen=True)
class Options:
    """How to convert.

    Attributes:
        timesteps: The longest run T.
        neuron: ``"signed"`` (fires -1, 0, +1), ``"if"`` (fires 0, +1), ``"multilevel"`` (powers of two of either sign),
            ``"multilevel-unsigned"`` (powers of two), ``"group"`` (several signed neurons with one membrane) or
            ``"tracking"`` (graded spikes, the reference).
        rule: From activation statistics to thresholds; ``AutoRule`` chooses one by the error left at the outputs.
        per_channel: One threshold a channel, else one a layer.
        calibration: ``"fast"``, thresholds for the horizon and one bias a channel; ``"balanced"``, thresholds chosen by
            the error at the outputs and a bias for every timestep; ``"deep"``, weights tuned, too, where that helps.
        correction: Of each layer's mean output: ``"timestep"``, a bias for every timestep; ``"bias"``, one for all;
            ``"potential"``, a shift of the initial membrane potential; ``"none"``. None takes the preset's.
        target: What early exit has to reach on the held-out part of the calibration data. None is a drop of 0.5, or
            with ``certify`` whatever that allows; of the two the more careful one decides.
        score: What decides about leaving, one of ``scores.SCORE_NAMES``.
        batch_size: Images that run together.
        device: Where to run.
        seed: Of the split of the calibration data.
        neuron_levels: Levels of a tracking (by default 32) or multi-level neuron (3), or members of a group (4); None
            for what the type has by default.
        encode: Where graded values become spikes in front of layers with weights: ``"auto"``, only in a network
            without ReLUs; ``"always"``; ``"never"``.
        skips: What skip connections carry to the next sum, where no weights multiply it: ``"graded"`` values, which
            are exact, or what the neurons send, ``"spiking"``.
        require_spiking: Smallest share of the multiply-accumulates that spikes must drive.
        certify: What leaving early may cost at most, with a stated probability.

    Raises:
        InputError: An option is out of range or unknown; lists every such option.
    """

    timesteps: int = 16
    neuron: str = "signed"
    rule: ThresholdRule | AutoRule = field(default_factory=AutoRule)
    per_channel: bool = True
    calibration: Preset = "balanced"
    correction: Correction | None = None
    target: ExitTarget | None = None
    score: ScoreName = "confidence"
    batch_size: int = 128
    device: str = "cpu"
    seed: int = 0
    neuron_levels: int | None = None
    encode: Encode = "auto"
    skips: Skips = "graded"
    require_spiking: float = 0.0
    certify: Certify | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.target is None and self.certify is None:
            object.__setattr__(self, "target", ExitTarget(drop=0.5))
        problems = []
        for name, value in (("timesteps", self.timesteps), ("batch size", self.batch_size)):
            if not _is_whole(value):
                problems.append(f"{name} must be a whole number, got {value!r}")
            elif value < 1:
                problems.append(f"{name} must be at least 1, got {value}")
        if not _is_whole(self.seed) or not SEEDS[0] <= self.seed <= SEEDS[1]:
            problems.append(f"seed must be a whole number of 64 bits, got {self.seed!r}")
        if self.neuron not in NEURON_TYPES:
            problems.append(f"neuron must be one of {', '.join(NEURON_TYPES)}, got {self.neuron!r}")
        elif self.neuron_levels is not None:
            problems += _problems_of_levels(self.neuron, self.neuron_levels)
        if self.calibration not in PRESET_NAMES:
            problems.append(f"calibration must be one of {', '.join(PRESET_NAMES)}, got {self.calibration!r}")
        if self.correction is not None and self.correction not in CORRECTION_NAMES:
            problems.append(f"correction must be one of {', '.join(CORRECTION_NAMES)}, got {self.correction!r}")
        if isinstance(self.rule, str) or not hasattr(self.rule, "name"):
            problems.append(f"rule must be a threshold rule, such as AutoRule() or MseRule(8), got {self.rule!r}")
        problems += _problems_of_exit(self.target, self.certify, self.timesteps)
        if self.encode not in ENCODE_NAMES:
            problems.append(f"encode must be one of {', '.join(ENCODE_NAMES)}, got {self.encode!r}")
        if self.skips not in SKIPS_NAMES:
            problems.append(f"skips must be one of {', '.join(SKIPS_NAMES)}, got {self.skips!r}")
        if not 0 <= self.require_spiking <= 1:
            problems.append(f"the spiking share to require must be in [0, 1], got {self.require_spiking}")
        if self.score not in SCORE_NAMES:
            problems.append(f"score must be one of {', '.join(SCORE_NAMES)}, got {self.score!r}")
        if problems:
            raise InputError("; ".join(problems))
        check_device(self.device)

    @property
    def neuron_type(self) -> NeuronType:
        """What makes the neurons."""
        return neuron_type(self.neuron, self.neuron_levels)

    @property
    def chosen_correction(self) -> Correction:
        """The correction asked for, or that of the preset."""
        if self.correction is not None:
            return self.correction
        return "bias" if self.calibration == "fast" else "timestep"

    def to_json(self) -> dict[str, object]:
        """Return what decides about the result, as plain data; batch size and device do not."""
        levels = self.neuron_type.levels
        return {
            "timesteps": self.timesteps,
            "neuron": self.neuron,
            **({} if levels is None else {"neuron_levels": levels}),
            "encode": self.encode,
            "skips": self.skips,
            "threshold": self.rule.name,
            "rule": rule_to_json(self.rule),
            "per_channel": self.per_channel,
            "calibration": self.calibration,
            "correction": self.chosen_correction,
            "target": None if self.target is None else self.target.to_json(),
            "certify": None if self.certify is None else self.certify.to_json(),
            "score": self.score,
            "seed": self.seed,
        }


def options_from_json(data: Mapping[str, Any], rule: ThresholdRule | AutoRule | None = None) -> Options:
    """Return the options that ``to_json`` wrote; batch size and device are the defaults.

    Args:
        data: Plain data; what is missing has its default.
        rule: Used instead of the rule in ``data``.

    Raises:
        InputError: The rule in ``data`` is not known, or was not recorded exactly, and none is given.
    """
    same = (
        "timesteps", "neuron", "neuron_levels", "encode", "skips", "per_channel", "calibration", "correction", "score",
        "seed",
    )  # fmt: skip
    if rule is None:
        if "rule" not in data and data.get("threshold", "auto") not in ("auto", "max"):
            raise InputError(
                f"an older version made the artifact and recorded its threshold rule only as {data['threshold']!r}; "
                "give the rule again (--threshold, or Options(rule=...))"
            )
        rule = rule_from_json(data.get("rule", {"kind": data.get("threshold", "auto")}))
    target, certify = data.get("target"), data.get("certify")
    return Options(
        **{name: data[name] for name in same if name in data},
        rule=rule,
        target=None if target is None else ExitTarget(**target),
        certify=None if certify is None else Certify(**certify),
    )


def _problems_of_exit(target: object, certify: object, timesteps: object) -> list[str]:
    """Return what is wrong with the target and the certificate asked for."""
    problems = []
    if not isinstance(target, ExitTarget | None):
        problems.append(f"target must be an ExitTarget, such as ExitTarget(drop=0.5), got {target!r}")
    elif target is not None and target.timesteps is not None and _is_whole(timesteps) and target.timesteps > timesteps:
        problems.append(
            f"target timesteps must be at most the longest run of {timesteps} timesteps (-T), got {target.timesteps:g}"
        )
    if not isinstance(certify, Certify | None):
        problems.append(f"certify must be a Certify, such as Certify(epsilon=0.01, delta=0.05), got {certify!r}")
    return problems


def _problems_of_levels(neuron: str, levels: int) -> list[str]:
    """Return why ``neuron`` cannot have that many levels, nothing where it can."""
    if not _is_whole(levels):
        return [f"neuron levels must be a whole number, got {levels!r}"]
    try:
        neuron_type(neuron, levels)
    except InputError as problem:
        return [str(problem)]
    return []


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
