"""Trials and explorations, made up."""

from typing import Any

from seenn_convert.artifact.schema.exploration import Exploration, Trial
from seenn_convert.measure.frontier import frontier, good_for


def trial(options: str = "--neuron signed", **given: Any) -> Trial:
    """Return a trial; what is not given has some value."""
    drop = given.get("expected_drop", 0.4)
    facts: dict[str, Any] = {
        "options": options, "neuron": "signed", "timesteps": 8, "calibration": "fast", "images": 400,
        "accuracy": 0.9 - drop / 100, "interval95": (0.85, 0.93), "expected_drop": drop, "drop_error": 0.1, "average_timesteps": 4.0,
        "reached": drop <= 0.5, "bits_per_spike": 2, "unit_spikes": True, "nanojoule": 3000.0, "milliseconds": 2.0,
    }  # fmt: skip
    return Trial(**{**facts, **given})


def exploration(**given: Any) -> Exploration:
    """Return the exploration of three settings, of which one is beaten, and a look at a fourth."""
    default = trial("--neuron signed -T 16", timesteps=16, average_timesteps=6.0, expected_drop=0.7, nanojoule=2000.0)
    wide = trial(
        "--neuron multilevel -T 4", neuron="multilevel", timesteps=4, average_timesteps=1.5, bits_per_spike=3,
        unit_spikes=False,
    )  # fmt: skip
    beaten = trial("--neuron if -T 32", average_timesteps=9.0, expected_drop=3.0, bits_per_spike=2)
    best, dominated = frontier([default, wide, beaten])
    facts: dict[str, Any] = {
        "prefer": "steps", "minutes": 5.0, "seconds": 80.0, "ann_accuracy": 0.9, "kept": wide.options,
        "default": default.options, "frontier": best, "dominated": dominated,
        "looked_at": (trial("--neuron if -T 64", images=38, milliseconds=None),),
        "left_out": {"--neuron if -T 64": "it would take about 90 s, and 20 s were left"},
        "good_for": good_for(best, graded_skips=False, device="cpu"),
    }  # fmt: skip
    return Exploration(**{**facts, **given})
