"""Check that JSON values are of the kinds that are expected of them, before anything reads them."""

from collections.abc import Mapping, Sequence
from typing import Any

Shape = type | tuple[Any, ...] | Mapping[str, Any] | Sequence[Any]
"""A class; a tuple of shapes, one of which it is; a mapping of keys to shapes, where ``ANY_KEY`` stands for all others;
a list of one shape."""

ANY_KEY = "*"
NUMBER, NOTHING = (int, float), type(None)

PROVENANCE: dict[str, Any] = {
    "model": {"name": str, "format": str, "sha256": (str, NOTHING), "output_name": str},
    "calibration": {"name": str, "images": int, "fingerprint": str, "thresholds": dict},
    "policy": {"name": str, "images": int, "fingerprint": str, "options": dict, "environment": dict},
    "options": dict,
    "environment": {"versions": {ANY_KEY: str}, "machine": str, "date": str},
}
_EXIT: Shape = {
    "policy": dict,
    "target": (dict, NOTHING),
    "temperatures": [NUMBER],
    "held_out": {"exit_counts": {ANY_KEY: int}},
    "step_time": (dict, NOTHING),
    "head": dict,
}
REPORT: dict[str, Any] = {
    "schema_version": int,
    "model": {**PROVENANCE["model"], "input_shape": [int], "classes": int, "class_names": (list, NOTHING)},
    "conversion": {
        "timesteps": int,
        "neuron": {"kind": str, "alphabet": ([int], NOTHING), "bits_per_spike": (int, NOTHING)},
        "threshold_rule": str,
        "per_channel": bool,
        "calibration": {"name": str, "images": int, "labelled": bool, "fitting_images": int, "held_out_images": int},
        "operators": [dict],
        "spiking_share": NUMBER,
        "graded_skips": {"connections": int, "values": int},
        "passes": [{"name": str, "changed": int, "declined": [[str]]}],
        "parity": (*NUMBER, NOTHING),
        "exit": _EXIT,
        "certificate": (dict, NOTHING),
        "dead_channels": {ANY_KEY: int},
        "warnings": [str],
    },
    "evaluation": (dict, NOTHING),
    "environment": PROVENANCE["environment"],
}


def misfit(value: object, shape: Shape, where: str = "") -> str | None:
    """Return a clause about the first value that is not of its shape, None where all are.

    A key may be missing: who reads it must do without.

    Args:
        value: What was read from JSON.
        shape: What it should be.
        where: The path of ``value``, for the clause.
    """
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            return f"{where or 'it'} is not an object"
        parts = [(item, shape.get(key, shape.get(ANY_KEY)), f"{where}.{key}".strip(".")) for key, item in value.items()]
        found = (misfit(item, part, place) for item, part, place in parts if part is not None)
    elif isinstance(shape, Sequence) and not isinstance(shape, tuple):
        if not isinstance(value, list):
            return f"{where} is not a list"
        found = (misfit(item, shape[0], f"{where}[{index}]") for index, item in enumerate(value))
    elif isinstance(shape, tuple):
        clauses = [misfit(value, part, where) for part in shape]
        return None if None in clauses else clauses[0]
    else:
        flag = isinstance(value, bool) and shape is not bool  # to Python a flag is a whole number
        return f"{where} is of the wrong kind" if flag or not isinstance(value, shape) else None
    return next((clause for clause in found if clause is not None), None)
