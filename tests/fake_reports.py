"""Reports and comparisons as ``evaluate`` and ``compare`` write them, made up; ``typed`` makes values of them."""

import base64
import math
import struct
import zlib
from typing import Any

from seenn_convert.artifact.schema.coding import from_plain
from seenn_convert.artifact.schema.comparison import Comparison
from seenn_convert.artifact.schema.report import Report, migrated

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def picture(side: int, seed: int) -> str:
    """Return a PNG of soft colour waves as a data URL."""
    rows = b""
    for y in range(side):
        waves = (127 + 120 * math.sin((x + seed * 5) / side * (3 + c) + y / side * (seed % 4 + c)) for x in range(side)
                 for c in range(3))  # fmt: skip
        rows += b"\0" + bytes(int(wave) for wave in waves)
    data = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return "data:image/png;base64," + base64.b64encode(data).decode()


def fake_report(timesteps: int = 16, layers: int = 19, side: int = 32, ann: float = 0.8804) -> dict[str, Any]:
    """Return a report as ``convert`` and ``evaluate`` would write it."""
    steps = range(1, timesteps + 1)
    fixed = {str(t): max(ann - 0.001 - 0.8 * math.exp(-0.55 * t), 0.1) for t in steps}
    weights = [t**2 * math.exp(-0.9 * t) for t in steps]
    counts = [round(4700 * weight / sum(weights)) for weight in weights]
    counts[-1] += 5000 - sum(counts)
    average = sum(t * n for t, n in zip(steps, counts, strict=True)) / 5000
    curve = [1 + (timesteps - 1) * (i / 49) ** 2 for i in range(50)]
    operators = [
        {
            "name": f"layer{i // 6 + 1}_{i // 2 % 3}_{'relu' if i % 2 else 'conv1'}",
            "operator": "ReLU" if i % 2 else "Conv2d",
            "treatment": "stem" if i == 0 else "spiking" if i % 2 else "linear",
            "source": f"layer{i // 6 + 1}.{i // 2 % 3}.conv1 (resnet.py:{45 + i})",
            "macs": 0 if i % 2 else 2359296,
            "share": 0 if i % 2 else 1 / layers,
        }
        for i in range(2 * layers)
    ]
    operators.append({"name": "pool", "operator": "MaxPool2d", "treatment": "temporal-difference", "source": "pool",
                      "macs": 0, "share": 0.0})  # fmt: skip
    return {
        "schema_version": 1,
        "model": {"name": "resnet20_cifar10.onnx", "sha256": "9f86d081884c7d65" * 4, "input_shape": [3, 32, 32],
                  "classes": 10, "class_names": CLASSES},
        "conversion": {
            "timesteps": timesteps,
            "neuron": {"kind": "signed", "alphabet": [-1, 0, 1]},
            "threshold_rule": "mse, 8 levels",
            "per_channel": True,
            "calibration": {"name": "calibration.npz", "images": 1000, "labelled": True, "fitting_images": 600,
                            "held_out_images": 400},
            "operators": operators,
            "spiking_share": 0.983,
            "passes": [
                {"name": "DropNoOps", "changed": 0, "declined": []},
                {"name": "FoldBatchNorm", "changed": 19,
                 "declined": [["bn3", "its input is used elsewhere too; the other users would see folded weights"]]},
            ],
            "parity": 3.1e-7,
            "exit": {
                "policy": {"policy": "confidence", "thresholds": [0.9912345, 0.9312345, 0.8, -1.0]},
                "target": {"drop": 0.5, "timesteps": None},
                "temperatures": [0.9 + 3.7 * math.exp(-0.4 * (t - 1)) for t in steps],
                "step_time": None,
                "held_out": {"expected_drop": 0.4, "accuracy": 0.912, "reference": 0.915, "full_accuracy": 0.914,
                             "average_timesteps": 4.2, "reached": True},
            },
            "warnings": ["channels that no calibration image activated carry their layer's largest threshold: "
                         "layer3_2_relu (2)"],
        },
        "evaluation": {
            "data": {"name": "test.npz", "images": 5000, "fingerprint": "f"},
            "timing": {"images": 512, "batch_size": 256, "threads": 2},
            "ann_accuracy": ann,
            "accuracy_at": fixed,
            "early_exit": {"accuracy": 0.876, "interval95": [0.8666, 0.8848], "average_timesteps": average,
                           "exit_counts": {str(t): n for t, n in zip(steps, counts, strict=True)}},
            "milliseconds_per_image": {"ann": 1.1, "all_timesteps": 30.2, "early_exit": 9.9},
            "operations": {
                "ann_macs": 41_000_000,
                "stem_macs": 440_000,
                "synaptic_operations": {"all_timesteps": 2.1e8, "early_exit": 6.6e7},
                "spikes": {"all_timesteps": 3.3e5, "early_exit": 1.0e5},
            },
            "energy": {
                "assumptions": [
                    "45 nm CMOS: 4.6 pJ a multiply-accumulate, 0.9 pJ an accumulate (Horowitz 2014)",
                    "the first layer sees analog input: its multiply-accumulates are counted once per image",
                    "memory access is not counted: on real hardware it can dominate",
                ],
                "nanojoule_per_image": {"ann": 188600.0, "all_timesteps": 191024.0, "early_exit": 61424.0},
            },
            "trade_off": [
                {"threshold": i / 49, "average_timesteps": x, "accuracy": ann - 0.002 - 0.75 * math.exp(-1.1 * x)}
                for i, x in enumerate(curve)
            ],
            "layers": [
                {"name": f"layer{i // 6 + 1}_{i // 2 % 3}_relu{i}", "neurons": 16384 // (1 + i // 6),
                 "v_threshold": [0.2141 + 0.01 * i, 0.5223, 1.9], "firing_rate": 0.11 + 0.05 * math.sin(i),
                 "rate_error": 0.05 + 0.01 * i, "operation_share": 1 / layers, "dead_channels": 2 * (i == 3),
                 "spikes_per_image": 21000.0 / (i + 1), "channels": 16, "saturated_channels": int(i == 4),
                 "error_parts": {"startup": 0.01, "upstream": 0.02, "clipping": 0.04 + 0.01 * i, "quantisation": 0.03,
                                 "unevenness": 0.0}, "input_error": 0.02}
                for i in range(layers)
            ],
            "examples": {
                "easy": [{"image": picture(side, i), "label": i, "prediction": i, "exit_step": 1, "confidence": 0.99}
                         for i in range(8)],
                "hard": [{"image": picture(side, i + 8), "label": (i + 3) % 10, "prediction": 3, "exit_step": timesteps,
                          "confidence": 0.31} for i in range(8)],
            },
        },
        "environment": {"versions": {"seenn_convert": "0.1.0", "torch": "2.13.0", "python": "3.11.7"},
                        "machine": "Linux x86_64, 2 cores", "date": "2026-11-23"},
    }  # fmt: skip


def small_report() -> dict[str, Any]:
    """Return a report with one or two of everything."""
    report = fake_report(timesteps=2, layers=1, side=2)
    report["evaluation"]["trade_off"] = report["evaluation"]["trade_off"][:2]
    report["evaluation"]["examples"] = {k: v[:1] for k, v in report["evaluation"]["examples"].items()}
    report["model"]["class_names"] = CLASSES[:4]
    return report


def typed(report: dict[str, Any]) -> Report:
    """Return the typed report, as an artifact's loader does."""
    return from_plain(migrated(report), Report)


CERTIFICATE = {
    "risk": "disagreement", "epsilon": 0.01, "delta": 0.05, "bound": "binomial", "images": 400, "failures": 1, "gains": 0,
    "observed": 0.0025, "upper_bound": 0.0099, "average_timesteps": 3.25, "fastest_timesteps": 3.25, "full_run": False, "policy": {},
}  # fmt: skip
CHECK = {"risk": "disagreement", "epsilon": 0.01, "images": 2000, "failures": 8, "gains": 0, "observed": 0.004,
         "interval95": [0.002, 0.008], "holds": True}  # fmt: skip


def certified_report(**check: object) -> dict[str, Any]:
    """Return a small report with a certificate, and with its check on the images of the evaluation if any is given."""
    report = small_report()
    report["conversion"]["certificate"] = CERTIFICATE
    report["evaluation"]["certificate"] = {**CHECK, **check} if check else None
    return report


def fake_comparison(timesteps: int = 8, head: bool = False) -> dict[str, Any]:
    """Return the JSON of a comparison of three strategies, with a policy head of five."""
    steps = range(1, timesteps + 1)
    right = [0.9 - 0.5 * math.exp(-0.6 * t) for t in steps]

    def point(average: float, accuracy: float) -> dict[str, Any]:
        lost = 100 * (right[-1] - accuracy)
        return {
            "average_timesteps": average, "accuracy": accuracy, "interval95": [accuracy - 0.02, accuracy + 0.02],
            "points_lost": lost + 1, "points_lost_interval95": [lost, lost + 2],
            "points_lost_to_full_run": lost, "points_lost_to_full_run_interval95": [lost - 0.5, lost + 0.5],
            "synaptic_operations": 1e6 * average, "milliseconds": 0.1 + 0.5 * average,
        }  # fmt: skip

    names = {"fixed": "all images stop at t", "global": "one temperature, one threshold", "confidence": "confidence",
             "entropy": "entropy"}  # fmt: skip
    names |= {"planned": "planned", "planned+confidence": "planned + confidence"} if head else {}
    bins = [[20, 0.5 + i / 10, 0.45 + i / 10] for i in range(5)] + [[3, 0.99, 0.1]]
    data = {"name": "test.npz", "images": 500, "fingerprint": "f"}
    return {
        "schema_version": 2,
        "model": "model.onnx",
        "timesteps": timesteps,
        "score": "confidence",
        "data": data,
        "calibration_data": {**data, "name": "train.npz", "labelled": True, "seed": 0, "fitting_images": 300,
                             "held_out_images": 200},
        "ann_accuracy": 0.91,
        "accuracy_at": right,
        "stem_macs": 442368,
        "policy_macs": 1234 if head else None,
        "prices": {"stem": 0.1, "step": 0.5, "plan": 0.01 if head else None, "images": 256, "batch_size": 128,
                   "threads": 2},
        "ways": [{"name": name, "label": label, "points": [point(t, share) for t, share in zip(steps, right, strict=True)]}
                 for name, label in names.items()],
        "ideal": {**point(1.5, 0.93), "exit_time_of_accuracies": 1.4},
        "measured": [{"way": "confidence", "average_timesteps": 2.5, "milliseconds": 1.4, "milliseconds_computed": 1.35}],
        "auroc": {"confidence": [0.8] * timesteps, "entropy": [None, *[0.79] * (timesteps - 1)]},
        "reliability": [{"t": t, "temperature": 0.8, "accuracy": 0.9, "confidence_before": 0.8, "confidence_after": 0.9,
                         "error_before": 0.1, "error_after": 0.01, "bins_before": bins, "bins_after": bins} for t in steps],
        "warnings": [],
        "environment": {"versions": {"torch": "2.13.0"}, "machine": "Linux", "date": "2026-11-23"},
    }  # fmt: skip


def typed_comparison(comparison: dict[str, Any]) -> Comparison:
    """Return the typed comparison."""
    return from_plain(comparison, Comparison)
