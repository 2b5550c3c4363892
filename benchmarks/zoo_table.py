"""Tell what ``zoo.py`` measured: a table, the worst first, and the figures that hold for all networks."""

import math
from collections import Counter
from statistics import linear_regression
from typing import Any

from measuring import made_on, table

from seenn_convert.artifact.provenance import environment

LEVELS, FINEST_LEVELS = 32, 4096
TRACKING_MARKS, SIGNED_MARKS, PEER_MARKS = (4, 16, 64), (16, 64, 256), (16, 64)
PARITY, LEAST_ERROR = 1e-4, 1e-5
"""Largest error of the ANN's outputs that single precision is asked about, and least error that shows a law."""

HEAD = ("network", "M parameters", "side", "neuron layers", "graded skips", "parity", "driven by spikes",
        "error at T=4", "16", "64", "slope", "convert s")  # fmt: skip


def slope_of(marks: tuple[int, ...], errors: list[float], least: float = LEAST_ERROR) -> float | None:
    """Return the slope of log error over log timesteps, by least squares; None where there is no error to speak of."""
    if not all(error > least for error in errors):
        return None
    return linear_regression(list(map(math.log, marks)), list(map(math.log, errors))).slope


def table_of(rows: list[dict[str, Any]]) -> str:
    """Return the table, the worst first, and what there is to say of all."""
    good = [row for row in rows if "tracking" in row]
    worst = sorted(good, key=lambda row: -row["tracking"]["64"])
    lines = [_summary(rows), "", table(HEAD, map(_cells, worst[:10]))]
    if len(worst) > 10:
        rest = table(HEAD, map(_cells, worst[10:]))
        lines += ["", f"<details><summary>The other {len(worst) - 10}</summary>", "", rest, "", "</details>"]
    lines += ["", *(f"- {row['network']}: {row['failed'].splitlines()[0]}" for row in rows if "failed" in row)]
    lines += [_short_line(row) for row in rows if "not_run" in row]
    deep = [row for row in good if "signed" in row]
    if deep:
        lines += ["", "Signed neurons, thresholds chosen and timestep biases fitted on the network's own batch:", ""]
        lines.append(table(
            ("network", "neuron layers", "rule", "T=16", "64", "256", "256 without biases"),
            [
                (row["network"], row["neuron_layers"], row["signed"]["rule"],
                 *(f"{row['signed']['biased'][str(t)]:.3f}" for t in SIGNED_MARKS),
                 f"{row['signed']['plain']['256']:.3f}")
                for row in deep
            ],
        ))  # fmt: skip
    lines += _peer_lines(rows)
    return "\n".join([*lines, "", made_on(vars(environment())), ""])


def _peer_lines(rows: list[dict[str, Any]]) -> list[str]:
    """Return what SpikingJelly makes of the same networks, nothing where it was not tried."""
    tried = [row["spikingjelly"] for row in rows if "spikingjelly" in row]
    if not tried:
        return []
    good = [row for row in tried if "failed" not in row]
    text = f"SpikingJelly converts {len(good)} of the {len(tried)} networks it was given, with the same batch"
    if good:
        last = str(PEER_MARKS[-1])
        errors = sorted(row["error"][last] for row in good)
        text += (
            f" (version {good[0]['version']}, binary neurons, 99.9th percentile of each channel, half a threshold to "
            f"start from); its error at T={last} is {errors[0]:.2f} at best, {errors[len(errors) // 2]:.2f} in the "
            f"middle and {errors[-1]:.2f} at worst"
        )
    why = Counter(row["failed"].split(":")[0] for row in tried if "failed" in row)
    reasons = ", ".join(f"{count} {name}" for name, count in why.most_common())
    return ["", text + "." + (f" What it raises for the others: {reasons}." if reasons else "")]


def _summary(rows: list[dict[str, Any]]) -> str:
    """Return the figures that hold for all networks."""
    good, run = ([row for row in rows if key in row] for key in ("parity", "tracking"))
    slopes = sorted(slope for slope in map(_slope_in, run) if slope is not None)
    outside = [row for row in run if (slope := _slope_in(row)) is not None and not -1.2 <= slope <= -0.8]
    exact = [row["law"]["slope"] for row in outside if row.get("law", {}).get("slope") is not None]
    again = sum(-1.2 <= slope <= -0.8 for slope in exact)
    single = sum(row.get("single_precision_parity", 0.0) > PARITY for row in good)
    relu = [row for row in run if row["relu_family"] and row["parameters"] <= 30]
    within = sum(row["tracking"]["64"] <= 0.05 for row in relu)
    return (
        f"{len(good)} of {len(rows)} networks converted, largest parity error {max(r['parity'] for r in good):.1e} "
        f"({single} of them, whose own single-precision rounding is larger than {PARITY:g}, judged in double). "
        "Tracking neurons: slope of the error over timesteps x levels between "
        f"{min(slopes, default=math.nan):.2f} and {max(slopes, default=math.nan):.2f} "
        f"(between -1.2 and -0.8 for {sum(-1.2 <= s <= -0.8 for s in slopes)} of {len(slopes)}; "
        f"of {len(exact)} of the others, measured in double precision with {FINEST_LEVELS} levels, {again}; "
        f"{len(run) - len(slopes)} show no error above {LEAST_ERROR:g}); of the {len(relu)} "
        f"networks with ReLUs and at most 30 M parameters {within} are within 0.05 at T=64 with {LEVELS} levels. "
        "The worst ten:"
    )


def _short_line(row: dict[str, Any]) -> str:
    return (
        f"- {row['network']} ({row['parameters']:.0f} M parameters): converted in {row['convert_seconds']:.0f} s with "
        f"{row['neuron_layers']} layers of neurons, parity {row['parity']:.1e}, {row['spiking_share']:.0%} driven by "
        f"spikes, {row['peak_gb']:.1f} GB; no timestep was run"
    )


def _cells(row: dict[str, Any]) -> list[object]:
    errors = (f"{row['tracking'][str(t)]:.4f}" for t in TRACKING_MARKS)
    slope = _slope_in(row)
    encoders = " (encoders)" if not row["relu_family"] or row.get("encode") == "always" else ""
    return [
        row["network"], f"{row['parameters']:.1f}", row["side"], f"{row['neuron_layers']}{encoders}",
        row.get("graded_skips", "off"), f"{row['parity']:.1e}", f"{row['spiking_share']:.0%}", *errors,
        "-" if slope is None else f"{slope:.2f}", f"{row['convert_seconds']:.1f}",
    ]  # fmt: skip


def _slope_in(row: dict[str, Any]) -> float | None:
    return slope_of(TRACKING_MARKS, [row["fine_tracking"][str(mark)] for mark in TRACKING_MARKS])
