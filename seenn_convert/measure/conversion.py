"""The conversion part of the report: what was converted, how, and how the exit was chosen."""

from collections.abc import Mapping, Sequence
from typing import Any

from seenn_convert.analysis.coverage import call_sites, graded_skips, spiking_share
from seenn_convert.artifact.provenance import environment
from seenn_convert.calibration.calibration import Calibration
from seenn_convert.data.checks import classes_of
from seenn_convert.exits.tune import ExitTuning, Split
from seenn_convert.ir.program import Program
from seenn_convert.neurons.layers import Neuron

SCHEMA_VERSION = 1
ABOVE_CHANCE = 0.1
"""Share of the way from chance to always right below which an ANN knows little of the calibration images."""



def report_of(model: Mapping[str, Any], conversion: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``report.json`` of a network that was not evaluated yet."""
    return {
        "schema_version": SCHEMA_VERSION,
        "model": dict(model),
        "conversion": dict(conversion),
        "evaluation": None,
        "environment": environment(),
    }


def model_facts(provenance: Mapping[str, Any], snn: Program, class_names: Sequence[str] | None) -> dict[str, Any]:
    """Return the ``model`` part of ``report.json``."""
    return {
        **provenance,
        "input_shape": list(snn.input_shape),
        "classes": classes_of(snn),
        "class_names": None if class_names is None else list(class_names),
    }


def conversion_report(
    ann: Program, snn: Program, calibration: Calibration, tuning: ExitTuning, split: Split, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the ``conversion`` part of ``report.json``.

    Args:
        ann: The program in which neurons were inserted.
        snn: The spiking program.
        calibration: Thresholds.
        tuning: The exit decision.
        split: Which calibration images served which purpose.
        options: ``timesteps``, ``neuron``, ``target``, ``data`` (name of the calibration set) and ``parity``.
    """
    sites = call_sites(ann)
    neuron = next(module for _, module in snn.calls() if isinstance(module, Neuron))
    return {
        "timesteps": options["timesteps"],
        "neuron": {
            "kind": options["neuron"],
            "alphabet": None if neuron.alphabet is None else list(neuron.alphabet),
            "bits_per_spike": neuron.bits_per_spike,
        },
        "threshold_rule": calibration.rule,
        "threshold_choice": dict(calibration.choice),
        "weights": dict(calibration.weights),
        "per_channel": calibration.per_channel,
        "calibration": {
            "name": options["data"],
            "images": len(set(split.fitting) | set(split.held_out)),
            "labelled": tuning.labelled,
            "fitting_images": len(split.fitting),
            "held_out_images": len(split.held_out),
        },
        "operators": [site.to_json() for site in sites],
        "spiking_share": spiking_share(sites),
        "graded_skips": graded_skips(ann),
        "passes": [
            {"name": record.name, "changed": len(record.changed), "declined": [list(pair) for pair in record.declined]}
            for record in snn.history
        ],
        "parity": options["parity"],
        "exit": {
            "policy": tuning.policy.to_json(),
            "target": options["target"],
            "temperatures": tuning.temperatures.tolist(),
            "held_out": {
                **tuning.held_out,
                "expected_drop": tuning.choice.expected_drop,
                "average_timesteps": tuning.choice.average_timesteps,
                "reached": tuning.choice.reached,
                "exit_counts": {str(t): count for t, count in enumerate(tuning.exit_counts, 1)},
            },
            "step_time": None if tuning.step_time is None else tuning.step_time.to_json(),
        },
        "certificate": None if tuning.certificate is None else tuning.certificate.to_json(),
        "dead_channels": {name: len(layer.dead_channels) for name, layer in calibration.layers.items()},
        "warnings": _warnings(calibration, tuning, split, classes_of(snn)),
    }


def _warnings(calibration: Calibration, tuning: ExitTuning, split: Split, classes: int) -> list[str]:
    warnings = []
    right, chance = tuning.held_out["reference"], 1 / classes
    if tuning.labelled and right - chance < ABOVE_CHANCE * (1 - chance):
        warnings.append(
            f"the ANN is right on only {right:.1%} of the held-out calibration images, little more than chance; check "
            "the preprocessing (mean, std, resize), the order of the classes, and that the weights are the trained ones"
        )
    if not tuning.choice.reached:
        remedy = "raise -T, or accept a larger drop"
        if tuning.certificate is not None:
            remedy += ", or where the certificate does not allow it give more calibration images or a larger epsilon"
        warnings.append(f"the exit target was not reached on the held-out calibration images; {remedy}")
    if len(split.held_out) < 100:
        warnings.append(
            f"how careful the exits are was chosen on only {len(split.held_out)} held-out images; give some hundreds"
        )
    if not tuning.labelled:
        warnings.append("the calibration data has no labels: the ANN's answers stood in for them")
    silent = [name for name, layer in calibration.layers.items() if layer.maximum <= 0]
    if 2 * len(silent) > len(calibration.layers):
        warnings.append(
            f"{len(silent)} of {len(calibration.layers)} activations never fire on the calibration images; check the "
            "preprocessing (mean, std, resize) and that these images are the model's kind"
        )
    firing = {name: layer for name, layer in calibration.layers.items() if name not in silent}
    dead = {name: len(layer.dead_channels) for name, layer in firing.items() if layer.dead_channels}
    if dead:
        listed = ", ".join(f"{name} ({count})" for name, count in dead.items())
        warnings.append(f"channels that no calibration image activated carry their layer's largest threshold: {listed}")
    return warnings
