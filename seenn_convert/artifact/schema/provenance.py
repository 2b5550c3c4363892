"""Where a converted network comes from: model, data, options, versions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seenn_convert.artifact.schema.finetuning import FinetuneOrigin
from seenn_convert.artifact.schema.shared import Environment, UsedData
from seenn_convert.calibration.calibration import Calibration


@dataclass(frozen=True, kw_only=True)
class ModelOrigin:
    """What a model was read from.

    Attributes:
        name: File name, factory, or class of the model.
        format: ``"onnx"``, ``"pt2"`` or ``"module"``; ``"spiking module"`` if it was trained as a spiking network.
        sha256: Of the file; None if there was none.
        output_name: Which of several outputs are the logits; None if there is one.
        notes: Sentences on how it was read where that was not plain, such as the type of its numbers.
    """

    name: str = "unknown"
    format: str = "unknown"
    sha256: str | None = None
    output_name: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CalibrationOrigin(UsedData):
    """The calibration data, and the thresholds with what they were computed from."""

    thresholds: Calibration


@dataclass(frozen=True, kw_only=True)
class PolicyOrigin(UsedData):
    """What a policy head was trained on, with which options, and where."""

    options: Mapping[str, Any]
    environment: Environment


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where an artifact comes from; None stands for what is not known.

    Attributes:
        model: The model.
        calibration: The calibration data and the thresholds.
        validation: The data to which the exits were fitted, if it was not the calibration data.
        policy: The data of the policy head, if one was attached.
        finetuning: The images that trained the network through time, if any did.
        options: ``Options.to_json()`` of the conversion.
        environment: Where it was converted.
    """

    model: ModelOrigin = field(default_factory=ModelOrigin)
    calibration: CalibrationOrigin | None = None
    validation: UsedData | None = None
    policy: PolicyOrigin | None = None
    finetuning: FinetuneOrigin | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Environment | None = None
