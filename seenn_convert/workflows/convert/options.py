"""What a user may choose about a conversion, checked when it is chosen."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from seenn_convert import choices
from seenn_convert.calibration.rules import AutoRule, ThresholdRule, is_rule, rule_from_json, rule_to_json
from seenn_convert.devices import check_device
from seenn_convert.errors import InputError, refuse
from seenn_convert.exits.certificates.certificate import Certify
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.ir.scores import ExitScore, score_named
from seenn_convert.neurons.types import NEURON_TYPES, NeuronType, neuron_type

MOST_TIMESTEPS = 2**20


class Default(int):
    """A number that nobody asked for; recordings replace it."""


DEFAULT_TIMESTEPS = Default(16)
FRONT_NUMBER = choices.Range(0, whole=True, words="none, auto, or a number of activations, such as 2")


@dataclass(frozen=True)
class Options:
    """How to convert.

    Attributes:
        timesteps: The longest run T; by default 16, or for recordings as many as they have frames.
        neuron: ``"signed"`` (fires -1, 0, +1), ``"if"`` (fires 0, +1), ``"multilevel"`` (powers of two of either sign),
            ``"multilevel-unsigned"`` (powers of two), ``"group"`` (several signed neurons with one membrane) or
            ``"tracking"`` (graded spikes, the reference); or a ``NeuronType``, such as ``Group(6)`` or your own.
        rule: From activation statistics to thresholds; ``AutoRule`` chooses one by the error left at the outputs.
        per_channel: One threshold a channel, else one a layer.
        calibration: ``"fast"``, thresholds for the horizon and one bias a channel; ``"balanced"``, thresholds chosen by
            the error at the outputs and a bias for every timestep; ``"deep"``, weights tuned, too, where that helps.
        correction: Of each layer's mean output: ``"timestep"``, a bias for every timestep; ``"bias"``, one for all;
            ``"potential"``, a shift of the initial membrane potential; ``"none"``. None takes the preset's.
        target: What early exit has to reach on the held-out part of the calibration data. None is a drop of 0.5, or
            with ``certify`` whatever that allows; of the two the more careful one decides.
        score: What decides about leaving: one of ``scores.SCORE_NAMES``, or an ``ExitScore`` of your own, which
            ``load_artifact`` must be given again.
        calibration_images: How many of the calibration images are used, and of the exit images: so many are drawn
            if there are more, each class by its share. 0 for all.
        batch_size: Images that run together.
        device: Where to run.
        seed: Of the draw and the split of the calibration data.
        neuron_levels: Levels of a tracking (by default 32) or multi-level neuron (3), or members of a group (4); None
            for what the type has by default.
        encode: Where graded values become spikes in front of layers with weights: ``"auto"``, where spikes would
            drive less than half of the network, or a third if all spikes have one size; ``"always"``; ``"never"``.
        skips: What skip connections carry to the next sum, where no weights multiply it: ``"graded"`` values, which
            are exact, or what the neurons send, ``"spiking"``.
        depthwise: What depthwise convolutions read: ``"graded"`` values, which are exact, at the price of their
            multiply-accumulates at each timestep, or what neurons send, ``"spiking"``.
        front: How many activations are left analog at the front of the network, so that they and all layers up to the
            first neurons run once per image: a number, ``"none"``, or ``"auto"``, which tries what the budget allows
            and takes what is best for the target.
        front_budget: Largest share of the multiply-accumulates that ``"auto"`` may leave to what runs once for an
            image, with what does so in any case.
        require_spiking: Smallest share of the multiply-accumulates that spikes must drive.
        precision: What a timestep computes in: ``"float32"``, or with ``"bfloat16"`` its convolutions and linear layers
            in 16 bits, and membranes, sums and scores in float32. Exits are fitted to it.
        certify: What leaving early may cost at most, with a stated probability.

    Raises:
        InputError: An option is out of range or unknown; lists every such option.
    """

    timesteps: int = DEFAULT_TIMESTEPS
    neuron: str | NeuronType = "signed"
    rule: ThresholdRule | AutoRule = field(default_factory=AutoRule)
    per_channel: bool = True
    calibration: choices.Preset = "balanced"
    correction: choices.Correction | None = None
    target: ExitTarget | None = None
    score: choices.ScoreName | ExitScore = "confidence"
    calibration_images: int = 1000
    batch_size: int = 128
    device: str = "cpu"
    seed: int = 0
    neuron_levels: int | None = None
    encode: choices.Encode = "auto"
    skips: choices.Skips = "graded"
    depthwise: choices.Depthwise = "graded"
    front: choices.Front | int = "auto"
    front_budget: float = 0.125
    require_spiking: float = 0.0
    certify: Certify | None = None
    precision: choices.Precision = "float32"

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.target is None and self.certify is None:
            object.__setattr__(self, "target", ExitTarget(drop=0.5))
        asked = self.timesteps
        problems = choices.settle_numbers(
            self,
            timesteps=choices.Range(1, MOST_TIMESTEPS, whole=True),
            calibration_images=choices.Range(0, whole=True, name="the calibration images to use"),
            batch_size=choices.COUNT,
            seed=choices.SEED,
            neuron_levels=choices.Range(whole=True, optional=True),
            front_budget=choices.Range(0, 1, name="the front budget"),
            require_spiking=choices.Range(0, 1, name="the spiking share to require"),
        )
        problems += choices.settle_flag(self, "per_channel")
        problems += _problems_of_neuron(self.neuron, self.neuron_levels)
        problems += choices.unknown("calibration", self.calibration, choices.PRESET_NAMES)
        if self.correction is not None:
            problems += choices.unknown("correction", self.correction, choices.CORRECTION_NAMES)
        if not is_rule(self.rule):
            problems.append(f"rule must be a threshold rule, such as AutoRule() or MseRule(8), got {self.rule!r}")
        problems += _problems_of_exit(self.target, self.certify, self.timesteps)
        problems += choices.unknown("encode", self.encode, choices.ENCODE_NAMES)
        problems += choices.unknown("skips", self.skips, choices.SKIPS_NAMES)
        problems += choices.unknown("depthwise", self.depthwise, choices.DEPTHWISE_NAMES)
        if not (isinstance(self.front, str) and self.front in choices.FRONT_NAMES):
            problems += choices.settle_numbers(self, front=FRONT_NUMBER)
        problems += choices.unknown("precision", self.precision, choices.PRECISION_NAMES)
        problems += _problems_of_score(self.score)
        refuse(problems)
        check_device(self.device)
        object.__setattr__(self, "timesteps", asked if isinstance(asked, Default) else self.timesteps)

    def for_frames(self, frames: int | None) -> "Options":
        """Return the options for recordings of so many ``frames``, None for images: one timestep for each frame.

        A number of timesteps that was asked for stays.

        Raises:
            InputError: An analog front is asked for, which has nothing to hold where the input varies in time.
        """
        if frames is None:
            return replace(self, timesteps=int(self.timesteps))  # a default that nothing replaces any more
        if self.front not in choices.FRONT_NAMES and self.front != 0:
            raise InputError(
                f"an analog front of {self.front} activations runs once per input, and the frames of a recording "
                "differ from timestep to timestep; leave --front out (front)"
            )
        return replace(self, timesteps=frames if isinstance(self.timesteps, Default) else self.timesteps)

    @property
    def neuron_type(self) -> NeuronType:
        """The neuron type chosen by name or given as a value."""
        return neuron_type(self.neuron, self.neuron_levels) if isinstance(self.neuron, str) else self.neuron

    @property
    def exit_score(self) -> ExitScore:
        """What decides about leaving."""
        return self.score if isinstance(self.score, ExitScore) else score_named(self.score)

    @property
    def chosen_correction(self) -> choices.Correction:
        """The correction asked for, or that of the preset."""
        if self.correction is not None:
            return self.correction
        return "bias" if self.calibration == "fast" else "timestep"

    def to_json(self) -> dict[str, object]:
        """Return what decides about the result, as plain data; batch size and device do not."""
        levels = self.neuron_type.levels
        return {
            "timesteps": int(self.timesteps),
            "neuron": self.neuron_type.name,
            **({} if levels is None else {"neuron_levels": levels}),
            "encode": self.encode,
            "skips": self.skips,
            "depthwise": self.depthwise,
            "front": self.front,
            "front_budget": self.front_budget,
            "require_spiking": self.require_spiking,
            "threshold": self.rule.name,
            "rule": rule_to_json(self.rule),
            "per_channel": self.per_channel,
            "calibration": self.calibration,
            "correction": self.chosen_correction,
            "target": None if self.target is None else asdict(self.target),
            "certify": None if self.certify is None else asdict(self.certify),
            "score": self.exit_score.name,
            "precision": self.precision,
            "calibration_images": self.calibration_images,
            "seed": self.seed,
        }


def options_from_json(data: Mapping[str, Any], rule: ThresholdRule | AutoRule | None = None, **own: Any) -> Options:
    """Return the options that ``to_json`` wrote; batch size and device are the defaults.

    Args:
        data: Plain data; what is missing has its default, or is as it was before there was the option: in older
            artifacts depthwise convolutions read spikes.
        rule: Used instead of the rule in ``data``.
        own: Other options that replace those in ``data``, such as a neuron type or an exit score of your own.

    Raises:
        InputError: The rule in ``data`` is not known, or was not recorded exactly, and none is given.
    """
    same = (
        "timesteps", "neuron", "neuron_levels", "encode", "skips", "depthwise", "front", "front_budget",
        "require_spiking", "per_channel", "calibration", "correction", "score", "calibration_images", "seed",
        "precision",
    )  # fmt: skip
    if rule is None:
        if "rule" not in data and data.get("threshold", "auto") not in ("auto", "max"):
            raise InputError(
                f"an older version made the artifact and recorded its threshold rule only as {data['threshold']!r}; "
                "give the rule again (--threshold, or Options(rule=...))"
            )
        rule = rule_from_json(data.get("rule", {"kind": data.get("threshold", "auto")}))
    target, certify = data.get("target"), data.get("certify")
    found: dict[str, Any] = {"depthwise": "spiking", "front": "none"}
    found |= {name: data[name] for name in same if name in data}
    found |= {
        "rule": rule,
        "target": None if target is None else ExitTarget(**target),
        "certify": None if certify is None else Certify(**certify),
    }
    return Options(**{**found, **own})


def _problems_of_exit(target: object, certify: object, timesteps: object) -> list[str]:
    """Return what is wrong with the target and the certificate asked for."""
    problems = []
    if not isinstance(target, ExitTarget | None):
        problems.append(f"target must be an ExitTarget, such as ExitTarget(drop=0.5), got {target!r}")
    elif target and target.timesteps and choices.is_whole(timesteps) and target.timesteps > timesteps:
        problems.append(
            f"target timesteps must be at most the longest run of {timesteps} timesteps (-T), got {target.timesteps:g}"
        )
    if not isinstance(certify, Certify | None):
        problems.append(f"certify must be a Certify, such as Certify(epsilon=0.01, delta=0.05), got {certify!r}")
    return problems


def _problems_of_score(score: object) -> list[str]:
    """Return what is wrong with the exit score asked for."""
    if isinstance(score, ExitScore):
        clash = score.name in choices.SCORE_NAMES and score is not score_named(score.name)
        return [f"there is an exit score {score.name!r} already; give yours another name"] if clash else []
    if isinstance(score, str) and score in choices.SCORE_NAMES:
        return []
    return [f"score must be one of {', '.join(choices.SCORE_NAMES)}, or an ExitScore, got {score!r}"]


def _problems_of_neuron(neuron: object, levels: object) -> list[str]:
    """Return what is wrong with the neuron type and its levels."""
    if isinstance(neuron, NeuronType) and not isinstance(neuron, type):
        if not isinstance(neuron.name, str) or not neuron.name:
            return [f"the name of a neuron type must be text, got {neuron.name!r}"]
        own = NEURON_TYPES.get(neuron.name)
        if own is not None and type(neuron) is not type(own):
            return [f"the neuron type {type(neuron).__name__} needs a name of its own, {neuron.name!r} is taken"]
        return [] if levels is None else ["neuron levels go with the name of a neuron type; a NeuronType has its own"]
    if not isinstance(neuron, str) or neuron not in NEURON_TYPES:
        return [f"neuron must be one of {', '.join(NEURON_TYPES)}, or a NeuronType, got {neuron!r}"]
    if not choices.is_whole(levels):
        return []
    try:
        neuron_type(neuron, levels)
    except InputError as problem:
        return [str(problem)]
    return []
