"""The report page is whole, safe and readable whatever part of the report is there."""

import base64
import json
import math
import re
import struct
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from seenn_convert.report.html import render_html
from seenn_convert.report.html_sections import count, energy, number, percent, significant

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
ALWAYS = ["summary", "conversion", "operators", "passes", "provenance"]
MEASURED = ["accuracy", "trade-off", "exits", "examples", "costs", "layers"]
VOID = {"meta", "img", "br"}
HOSTILE = "<script>alert('&\"')</script>"


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
                "held_out": {"expected_drop": 0.4, "accuracy": 0.912, "reference": 0.915, "full_accuracy": 0.914,
                             "average_timesteps": 4.2, "reached": True},
            },
            "warnings": ["channels that no calibration image activated carry their layer's largest threshold: "
                         "layer3_2_relu (2)"],
        },
        "evaluation": {
            "data": {"name": "test.npz", "images": 5000},
            "ann_accuracy": ann,
            "accuracy_at": fixed,
            "early_exit": {"accuracy": 0.876, "interval95": [0.8666, 0.8848], "average_timesteps": average,
                           "exit_counts": {str(t): n for t, n in zip(steps, counts, strict=True)}},
            "milliseconds_per_image": {"ann": 1.1, "all_timesteps": 30.2, "early_exit": 9.9},
            "operations": {
                "ann_macs": 4.1e7,
                "stem_macs": 4.4e5,
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


class Page(HTMLParser):
    """Reads a page: its text, the tags that were not closed in order, and the attributes that load something."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.errors: list[str] = []
        self.sections: list[str] = []
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.words = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "data", "srcset", "action")]
        if tag == "section":
            self.sections.append(dict(attrs)["id"] or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.errors.append(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words += data.replace("\u00a0", " ")


def read(report: dict[str, Any]) -> Page:
    """Render ``report`` and check what every page must satisfy."""
    page = Page(render_html(report))
    assert (page.errors, page.open) == ([], [])
    assert all(url.startswith("data:image/") for url in page.loaded)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"\b(None|nan|inf)\b", page.words)
    return page


def paths(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the keys to everything in nested mappings and lists."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from paths(value, (*path, key))


def holder(data: Any, path: tuple[Any, ...]) -> Any:
    """Return what holds the last key of ``path``."""
    for key in path[:-1]:
        data = data[key]
    return data


def small_report() -> dict[str, Any]:
    """Return a report with one or two of everything."""
    report = fake_report(timesteps=2, layers=1, side=2)
    report["evaluation"]["trade_off"] = report["evaluation"]["trade_off"][:2]
    report["evaluation"]["examples"] = {k: v[:1] for k, v in report["evaluation"]["examples"].items()}
    report["model"]["class_names"] = CLASSES[:4]
    return report


def test_the_page_has_every_section_in_reading_order() -> None:
    page = read(fake_report())

    assert page.sections == [*ALWAYS[:1], *MEASURED[:5], "conversion", "layers", "operators", "passes", "provenance"]
    assert page.tags.count("svg") - page.tags.count("polyline") == 4
    assert "1 warning" in page.words


def test_the_headline_says_what_was_measured() -> None:
    words = read(fake_report()).words

    rule = "is above a threshold (0.8 to 0.9912, depending on the timestep)"
    assert f"up to 16 timesteps; it leaves as soon as the network’s confidence {rule}" in words
    assert "87.6 % of the answers were right (95 % interval 86.7 to 88.5 %), 0.4 points below the ANN" in words
    assert "costs 67 % less energy than the ANN: 61.4 µJ against 189 µJ an image" in words


@pytest.mark.parametrize("absent", [None, {}])
def test_without_an_evaluation_the_page_shows_the_conversion_and_how_to_evaluate(absent: Any) -> None:
    report = fake_report()
    report["evaluation"] = absent
    page = read(report)
    del report["evaluation"]

    assert page.sections == ALWAYS
    assert "seenn-convert evaluate ARTIFACT --data DATA" in page.words
    assert render_html(report) == render_html({**report, "evaluation": None})


@pytest.mark.parametrize("report", [{}, {"evaluation": {"ann_accuracy": None}}, {"conversion": {"exit": None}}])
def test_a_nearly_empty_report_is_a_page_all_the_same(report: dict[str, Any]) -> None:
    assert read(report).sections[0] == "summary"


@pytest.mark.slow
@pytest.mark.parametrize(("value", "kinds"), [(None, object), (math.nan, float)])
def test_any_value_may_be_missing(value: object, kinds: type) -> None:
    """Replace each part of the report in turn, from whole branches down to single numbers."""
    text = json.dumps(small_report())
    for path in paths(json.loads(text)):
        report = json.loads(text)
        place = holder(report, path)
        if isinstance(place[path[-1]], kinds):
            place[path[-1]] = value
            read(report)


@pytest.mark.slow
def test_any_key_may_be_absent() -> None:
    text = json.dumps(small_report())
    for path in paths(json.loads(text)):
        report = json.loads(text)
        place = holder(report, path)
        if isinstance(place, dict):
            del place[path[-1]]
            read(report)


def test_names_from_outside_are_escaped() -> None:
    report = small_report()
    for path in list(paths(report)):
        place = holder(report, path)
        if isinstance(place[path[-1]], str):
            place[path[-1]] = HOSTILE
    page = read(report)

    assert page.words.count(HOSTILE) > 20
    assert "<script" not in render_html(report)


def test_a_picture_is_shown_only_if_it_is_embedded() -> None:
    report = small_report()
    report["evaluation"]["examples"]["easy"][0]["image"] = "https://example.org/picture.png"

    assert len(read(report).loaded) == 1
    assert "example.org" not in render_html(report)


def test_examples_say_right_or_wrong_and_name_the_classes() -> None:
    report = small_report()
    easy = report["evaluation"]["examples"]["easy"][0]
    right = read(report).words
    easy.update(label=2, prediction=7)
    wrong = read(report).words
    easy.update(label=None)

    assert "✓ airplane" in right
    assert "✗ class 7truth: bird" in wrong
    assert "✗ class 7" not in read(report).words


def test_small_pictures_keep_their_pixels() -> None:
    assert 'class="pixelated"' in render_html(fake_report(side=32))
    assert 'class="pixelated"' not in render_html(fake_report(timesteps=2, layers=1, side=66))


def test_bad_news_is_told() -> None:
    report = fake_report()
    report["conversion"]["exit"]["held_out"]["reached"] = False
    evaluation = report["evaluation"]
    evaluation["accuracy_at"]["16"] = 0.83
    evaluation["early_exit"].update(accuracy=0.82, average_timesteps=15.9)
    evaluation["energy"]["nanojoule_per_image"]["early_exit"] = 2 * 188600.0
    words = read(report).words

    assert "was not reached on the held-out calibration images" in words
    assert "6.0 points below the ANN: more than the 0.5 points asked for" in words
    assert "Even after all 16 timesteps the spiking network is 5.0 points below the ANN" in words
    assert "Hardly any image leaves early" in words
    assert "costs more energy than the ANN, 2.00 times as much" in words


def test_a_gain_is_called_a_gain() -> None:
    report = fake_report()
    report["evaluation"]["early_exit"]["accuracy"] = 0.8904

    assert "Points gained1.0" in read(report).words


@pytest.mark.parametrize(
    ("policy", "rule"),
    [
        ({"policy": "fixed", "timesteps": 4}, "after 4 timesteps, whatever its answer"),
        ({"policy": "entropy", "thresholds": [0.5, -1.0]}, "normalized entropy) is above a threshold (0.5)"),
        ({"policy": "patience", "thresholds": [0.8, -1.0]}, "same answer) is above a threshold (0.8)"),
        ({"policy": "confidence", "thresholds": [2.0, 2.0, -1.0]}, "only at the end"),
        ({"policy": "confidence", "thresholds": [-1.0, 0.5, -1.0]}, "after the first timestep"),
    ],
)
def test_every_exit_policy_is_put_in_words(policy: dict[str, Any], rule: str) -> None:
    report = small_report()
    report["conversion"]["exit"]["policy"] = policy

    assert rule in read(report).words


def test_without_labels_agreement_is_not_called_accuracy() -> None:
    report = small_report()
    report["evaluation"] = None
    report["conversion"]["calibration"]["labelled"] = False
    words = read(report).words

    assert "Agreement with the ANN91.2 %" in words
    assert "ANN accuracy" not in words


def test_the_layers_come_with_the_first_that_breaks_and_what_helps() -> None:
    report = fake_report(layers=4)
    assert "No layer breaks." in read(report).words
    layer = report["evaluation"]["layers"][2]
    layer.update(rate_error=0.41, dead_channels=1, saturated_channels=9)
    layer["error_parts"]["clipping"] = 0.4
    report["conversion"]["threshold_rule"] = "percentile 99"
    page = read(report)

    assert f"{layer['name']} is the first layer that breaks: its own error is 40.1% of its activation." in page.words
    assert "Convert with --threshold max: clipping takes 40.0% of the activation" in page.words
    assert "StartupUpstreamClippingQuantisationUnevennessDead channelsSaturated channels" in page.words
    html = render_html(report).replace("\u00a0", " ")
    assert "<td><b>40.0 %</b></td><td>3.0 %</td>" in html  # the largest part is marked, and only that
    assert "<td><b>1 of 16</b></td><td><b>9 of 16</b></td>" in html


def test_the_layers_of_an_older_report_are_shown_without_what_they_lack() -> None:
    report = fake_report(layers=2)
    for layer in report["evaluation"]["layers"]:
        for key in ("error_parts", "input_error", "channels", "saturated_channels"):
            del layer[key]
    page = read(report)

    assert "What the errors of the layers are made of was not measured." in page.words
    assert report["evaluation"]["layers"][1]["name"] in page.words


def test_an_unknown_energy_leaves_the_operations_in_the_headline() -> None:
    report = fake_report()
    report["evaluation"]["energy"] = None

    assert "Operations162 %" in read(report).words


@pytest.mark.parametrize("timesteps", [1, 3, 64])
def test_one_timestep_and_many(timesteps: int) -> None:
    report = fake_report(timesteps=timesteps, layers=2, side=2)
    report["evaluation"]["early_exit"]["exit_counts"] = {str(timesteps): 5000}
    words = read(report).words

    assert ("up to 1 timestep;" if timesteps == 1 else f"up to {timesteps} timesteps;") in words
    assert ("every image leaves at it" if timesteps == 1 else "100.0 % leave only at timestep") in words


def test_a_page_with_many_layers_stays_light_and_is_always_the_same() -> None:
    report = fake_report(timesteps=32, layers=150)
    page = render_html(report)

    assert len(page.encode()) < 400_000
    assert page == render_html(json.loads(json.dumps(report)))


def test_numbers_are_written_for_readers() -> None:
    assert [number(None), percent(math.nan), significant("x"), count(True), energy(None)] == ["–"] * 5
    assert [number(-12345.67, 1), percent(0.876), significant(0), significant(0.02346)] == [
        "−12,345.7", "87.6\u00a0%", "0", "0.0235",
    ]  # fmt: skip
    assert [count(999), count(66_400_000), count(999_960)] == ["999", "66.4\u00a0M", "1.00\u00a0M"]
    assert [energy(0.5), energy(188_600), energy(4.1e7)] == ["0.500\u00a0nJ", "189\u00a0µJ", "41.0\u00a0mJ"]
    assert significant(3.1e-7, 2) == "3.1\u00a0×\u00a010<sup>−7</sup>"


@pytest.mark.parametrize(("neuron", "words"), [
    ({"kind": "signed", "alphabet": [-1, 0, 1]}, "signed, spikes {-1, 0, 1}<"),
    ({"kind": "if", "alphabet": [0, 1], "bits_per_spike": 1}, "if, spikes {0, 1}, 1 bit each<"),
    ({"kind": "multilevel", "alphabet": [-4, -2, -1, 0, 1, 2, 4], "bits_per_spike": 3},
     "multilevel, spikes {-4, -2, -1, 0, 1, 2, 4}, 3 bits each<"),
    ({"kind": "group", "alphabet": list(range(-50, 51)), "bits_per_spike": 7},
     "group, spikes of 101 numbers from -50 to 50, 7 bits each<"),
    ({"kind": "tracking", "alphabet": None, "bits_per_spike": None}, "tracking, spikes of any whole number<"),
])  # fmt: skip
def test_what_a_spike_may_be(neuron: dict[str, Any], words: str) -> None:
    """Reports from before the bits were said show the spikes alone."""
    report = fake_report()
    report["conversion"]["neuron"] = neuron
    assert words in render_html(report)
