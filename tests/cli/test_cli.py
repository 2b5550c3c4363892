"""The command line keeps its contract: spellings, one clear sentence a mistake, exit codes, nothing half-written."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import seenn_convert as sc
from seenn_convert.artifact.artifact import load_artifact
from seenn_convert.calibration.rules import MseRule, ScaledRule
from seenn_convert.cli.main import main
from seenn_convert.sample import FOLDER as SAMPLE

SCALE = ["--mean", "0.2860", "--std", "0.3530"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Run the command line; return exit code, standard output and standard error."""
    code = 0
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred of the sample's calibration images, ten of each class."""
    source = np.load(SAMPLE / "calibration.npz")
    chosen = np.concatenate([np.flatnonzero(source["y"] == label)[:10] for label in range(10)])
    path = tmp_path_factory.mktemp("few") / "few.npz"
    np.savez(path, x=source["x"][chosen], y=source["y"][chosen])
    return path


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory, few: Path) -> Path:
    """The sample converted for four timesteps."""
    path = tmp_path_factory.mktemp("artifact") / "out"
    model = str(SAMPLE / "fashion_mnist.onnx")
    main(["convert", model, "--calibration-data", str(few), "-T", "4", "--calibration", "fast", "--front", "none", "-o", str(path), *SCALE])
    return path


def test_evaluate_json_has_the_keys_of_the_contract(capsys: pytest.CaptureFixture[str], artifact: Path) -> None:
    code, out, _ = run(capsys, "evaluate", artifact, "--data", SAMPLE / "test.npz", "--limit", "60", "--json")
    found = json.loads(out)
    assert code == 0
    assert 0.8 <= found["ann_accuracy"] <= 1
    assert list(found["accuracy_at"]) == ["1", "2", "3", "4"]
    assert {"accuracy", "interval95", "average_timesteps", "exit_counts"} <= set(found["early_exit"])
    assert sum(found["early_exit"]["exit_counts"].values()) == 60
    assert set(found["milliseconds_per_image"]) == {"ann", "all_timesteps", "early_exit"}
    assert found["operations"]["ann_macs"] > found["operations"]["stem_macs"] > 0
    assert (artifact / "report.html").read_text().startswith("<!")


@pytest.mark.slow
@pytest.mark.parametrize("options", [
    ["--neuron", "if"], ["--threshold", "max"], ["--threshold", "percentile"], ["--target-timesteps", "2"],
    ["--score", "entropy"], ["--score", "patience"], ["--per-layer"], ["--correction", "none"], ["--correction", "potential"],
    ["--calibration", "fast"], ["--calibration", "deep"], ["--threshold", "balance"], ["--neuron", "multilevel"],
    ["--neuron", "multilevel-unsigned", "--neuron-levels", "4"], ["--neuron", "group"], ["--neuron", "tracking"],
])  # fmt: skip
def test_every_option_of_convert_gives_an_artifact_that_evaluates(
    capsys: pytest.CaptureFixture[str], few: Path, tmp_path: Path, options: list[str]
) -> None:
    model, out = SAMPLE / "fashion_mnist.pt2", tmp_path / "out"
    assert run(capsys, "convert", model, "--calibration-data", few, "-T", "3", "-o", out, *SCALE, *options)[0] == 0
    code, text, _ = run(capsys, "evaluate", out, "--data", SAMPLE / "test.npz", "--limit", "50", "--json")
    assert code == 0 and json.loads(text)["early_exit"]["average_timesteps"] <= 3


@pytest.mark.parametrize(("options", "reason"), [
    (["--neuron-levels", "3"], "signed neurons have no levels; neuron types with levels: tracking, multilevel"),
    (["--neuron", "multilevel", "--neuron-levels", "17"], "a multi-level neuron has 1 to 16 levels, got 17"),
    (["--neuron", "group", "--neuron-levels", "300"], "a group has 1 to 256 members, got 300"),
])  # fmt: skip
def test_levels_that_a_neuron_cannot_have(
    capsys: pytest.CaptureFixture[str], few: Path, tmp_path: Path, options: list[str], reason: str
) -> None:
    model, out = SAMPLE / "fashion_mnist.pt2", tmp_path / "out"
    code, _, error = run(capsys, "convert", model, "--calibration-data", few, "-T", "3", "-o", out, *SCALE, *options)
    assert code == 1 and reason in error and not out.exists()


def test_calibrate_again_changes_what_it_is_told(
    capsys: pytest.CaptureFixture[str], artifact: Path, few: Path, tmp_path: Path
) -> None:
    out = tmp_path / "again"
    arguments = ["calibrate", artifact, "--data", few, "-T", "2", "--threshold", "max", "-o", out, "--json"]
    code, text, _ = run(capsys, *arguments)
    assert code == 0 and json.loads(text)["conversion"]["threshold_rule"] == "max"
    assert json.loads((out / "manifest.json").read_text())["timesteps"] == 2


@pytest.mark.slow
def test_attach_policy_gives_an_artifact_that_evaluates(
    capsys: pytest.CaptureFixture[str], artifact: Path, few: Path, tmp_path: Path
) -> None:
    out = tmp_path / "planned"
    arguments = ["attach-policy", artifact, "--data", few, "-o", out, "--policy", "planned", "--epochs", "2"]
    code, text, _ = run(capsys, *arguments, "--target-timesteps", "3")
    assert code == 0 and "policy head: " in text and f"wrote {out}" in text
    code, text, _ = run(capsys, "evaluate", out, "--data", SAMPLE / "test.npz", "--limit", "50")
    assert code == 0 and "that the policy head chose for it before the run" in text
    code, text, _ = run(capsys, "inspect", out)
    assert code == 0 and "policy_macs: " in text and "\npolicy\n" in text
    code, text, _ = run(capsys, *arguments, "--reward", "paper", "--beta", "2,0.5", "--json")
    head = json.loads(text)["conversion"]["exit"]["head"]
    assert code == 0 and (head["reward"], head["settings"]) == ("paper", [2.0, 0.5])


@pytest.mark.parametrize(("options", "code", "reason"), [
    (["--beta", "2"], 2, "--beta has no effect without --reward paper"),
    (["--price", "2", "--reward", "paper"], 2, "--price has no effect without --reward price"),
    (["--target-drop", "1", "--target-timesteps", "2"], 2, "not both"),
    (["--price", "-1"], 1, "each price must be"), (["--data", "nowhere"], 1, "no such file"),
])  # fmt: skip
def test_attach_policy_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str], artifact: Path, few: Path, tmp_path: Path, options: list[str], code: int,
    reason: str,
) -> None:  # fmt: skip
    out = tmp_path / "planned"
    found, _, error = run(capsys, "attach-policy", artifact, "--data", few, "-o", out, *options)
    assert found == code and reason in error and not out.exists()


def test_inspect_names_every_call_site_of_model_and_artifact(
    capsys: pytest.CaptureFixture[str], artifact: Path
) -> None:
    exported = [] if torch.__version__.startswith("2.7.") else [SAMPLE / "fashion_mnist.pt2"]  # written by 2.13: 2.7 cannot read it
    for path in (*exported, artifact):
        code, out, _ = run(capsys, "inspect", path, "--json")
        found = json.loads(out)
        assert code == 0
        assert sum(site["treatment"] == "spiking" for site in found["operators"]) == 5
        assert {"linear", "stem", "temporal-difference"} <= {site["treatment"] for site in found["operators"]}
    code, out, _ = run(capsys, "inspect", artifact)
    assert code == 0 and "SignedNeuron" in out


@pytest.mark.slow
def test_inspect_of_an_artifact_shows_what_the_calibration_knows_and_once_evaluated_the_errors(
    capsys: pytest.CaptureFixture[str], artifact: Path, tmp_path: Path
) -> None:
    path = tmp_path / "fresh"
    shutil.copytree(artifact, path)
    report = json.loads((path / "report.json").read_text())
    (path / "report.json").write_text(json.dumps({**report, "evaluation": None}))

    text = run(capsys, "inspect", path)[1]
    assert "largest activation" in text and f"seenn-convert evaluate {path} --data DATA measures the errors" in text
    found = json.loads(run(capsys, "inspect", path, "--json")[1])["diagnosis"]
    assert (found["measured"], len(found["calibration"]), found["breaks"]) == (False, 5, None)
    assert {"v_threshold", "maximum", "clipped_share", "dead_channels"} <= set(found["calibration"][0])

    code, out, _ = run(capsys, "evaluate", path, "--data", SAMPLE / "test.npz", "--limit", "60", "--json")
    text = run(capsys, "inspect", path)[1]
    assert code == 0 and "measures the errors" not in text
    found = json.loads(run(capsys, "inspect", path, "--json")[1])["diagnosis"]
    assert found["measured"] and {**json.loads(out)["diagnosis"]}.items() <= found.items()
    head = next(line for line in text.splitlines() if line.startswith("neuron layer"))
    assert head.split()[2:] == [
        "rate", "error", "startup", "upstream", "clipping", "quantisation", "unevenness", "dead", "saturated"
    ]  # fmt: skip
    first = found["layers"][0]
    shown = [line for line in text.splitlines() if line.split()[:1] == [first["name"]] and "%*" in line]
    assert len(shown) == 1 and f"{first['rate_error']:.1%}" in shown[0]
    assert f"{first['dead_channels']} of {first['channels']}" in shown[0]
    assert (found["suggestion"] or "No layer has a large error of its own.") in text


@pytest.mark.slow
def test_evaluate_against_the_original_agrees_with_the_artifacts_own_ann(
    capsys: pytest.CaptureFixture[str], artifact: Path
) -> None:
    arguments = ["evaluate", artifact, "--data", SAMPLE / "test.npz", "--limit", "50", "--json", "--no-report"]
    own = json.loads(run(capsys, *arguments)[1])
    other = json.loads(run(capsys, *arguments, "--against", SAMPLE / "fashion_mnist.pt2")[1])
    assert own["ann_accuracy"] == other["ann_accuracy"]


@pytest.mark.slow
def test_one_of_several_outputs_is_chosen_by_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, few: Path
) -> None:
    """Convert, inspect and evaluate --against read the output that is named; without a name they list the names."""
    model = onnx.load(SAMPLE / "fashion_mnist.onnx")
    logits = model.graph.output[0].name
    hidden = next(node for node in model.graph.node if node.op_type == "Relu").output[0]
    model.graph.output.append(onnx.ValueInfoProto(name=hidden))
    onnx.save(model, tmp_path / "two.onnx")
    named = ["--output-name", logits]
    arguments = ["convert", tmp_path / "two.onnx", "--calibration-data", few, "-T", "2", "-o", tmp_path / "out", *SCALE]

    assert (run(capsys, *arguments, *named)[0], run(capsys, "inspect", tmp_path / "two.onnx", *named)[0]) == (0, 0)
    judged = ["evaluate", tmp_path / "out", "--data", SAMPLE / "test.npz", "--limit", "20", "--json", "--no-report"]
    assert run(capsys, *judged, "--against", tmp_path / "two.onnx", *named)[0] == 0
    code, _, error = run(capsys, "inspect", tmp_path / "two.onnx")
    assert code == 1 and f"({logits}, {hidden}); name the logits with --output-name" in error
    code, _, error = run(capsys, *judged, *named)
    assert code == 1 and "--against" in error


@pytest.mark.slow
def test_evaluating_on_the_calibration_images_is_said(
    capsys: pytest.CaptureFixture[str], artifact: Path, few: Path
) -> None:
    _, out, err = run(capsys, "evaluate", artifact, "--data", few, "--no-report")
    assert "calibration images" in err
    assert "nothing else" not in out


def _mistakes(folder: Path) -> dict[str, list[str]]:
    """Name of the mistake -> arguments; each must end in one sentence and exit code 1."""
    model, data, out = str(SAMPLE / "fashion_mnist.onnx"), str(SAMPLE / "calibration.npz"), str(folder / "out")
    cut = folder / "cut.onnx"
    cut.write_bytes((SAMPLE / "fashion_mnist.onnx").read_bytes()[:5000])
    cut_pt2 = folder / "cut.pt2"
    cut_pt2.write_bytes((SAMPLE / "fashion_mnist.pt2").read_bytes()[:5000])
    np.savez(folder / "nan.npz", x=np.full((20, 1, 28, 28), np.nan, np.float32), y=np.zeros(20, int))
    np.savez(folder / "large.npz", x=np.zeros((20, 32, 32, 1), np.uint8), y=np.zeros(20, int))
    np.savez(folder / "labels.npz", x=np.zeros((20, 28, 28, 1), np.uint8), y=np.full(20, 10))
    np.savez(folder / "dead.npz", x=np.zeros((0, 28, 28, 1), np.uint8), y=np.zeros(0, int))
    dangling = folder / "dangling"
    dangling.symlink_to("nowhere")
    (folder / "full").mkdir()
    (folder / "full" / "thesis.txt").write_text("precious")
    convert = ["convert", model, "-o", out, "--calibration-data"]
    return {
        "no model": ["convert", str(folder / "no.onnx"), "-o", out, "--calibration-data", data],
        "no data": [*convert, str(folder / "no.npz")],
        "truncated onnx": ["convert", str(cut), "-o", out, "--calibration-data", data],
        "truncated pt2": ["convert", str(cut_pt2), "-o", out, "--calibration-data", data],
        "not a model": ["convert", data, "-o", out, "--calibration-data", data],
        "no factory": ["convert", "nowhere.at.all:make", "-o", out, "--calibration-data", data],
        "nan": [*convert, str(folder / "nan.npz")],
        "shape": [*convert, str(folder / "large.npz")],
        "labels": [*convert, str(folder / "labels.npz")],
        "empty": [*convert, str(folder / "dead.npz")],
        "device": [*convert, data, "--device", "quantum"],
        "std": [*convert, data, "--std", "0"],
        "target": [*convert, data, "--target-drop", "-1"],
        "target above T": [*convert, data, "-T", "4", "--target-timesteps", "5"],
        "no time": [*convert, data, "--target-ms", "0"],
        "too few to certify": [*convert, data, "--certify", "0.001,0.05"],
        "certificate out of range": [*convert, data, "--certify", "0,0.05"],
        "no place to run": [*convert, data, "--device", "meta"],
        "link to nowhere": ["convert", model, "-o", str(dangling), "--calibration-data", data],
        "below a file": ["convert", model, "-o", str(cut / "out"), "--calibration-data", data],
        "folder for a model": ["convert", str(folder / "full"), "-o", out, "--calibration-data", data],
        "folder to inspect": ["inspect", str(folder / "full")],
        "not an artifact": ["evaluate", str(folder / "full"), "--data", data],
        "precious folder": ["convert", model, "-o", str(folder / "full"), "--calibration-data", data],
    }


@pytest.mark.slow
def test_every_mistake_gives_one_sentence_and_exit_code_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name, arguments in _mistakes(tmp_path).items():
        code, out, err = run(capsys, *arguments)
        assert code == 1, (name, out, err)
        assert err.startswith("error: ") and len(err.strip().splitlines()) == 1, (name, err)
        assert not (tmp_path / "out").exists(), name
        assert not list(tmp_path.glob(".*writing*")), name
    assert (tmp_path / "full" / "thesis.txt").read_text() == "precious"


def test_wrong_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(capsys, "convert")[0] == 2
    assert run(capsys, "nothing")[0] == 2
    for shape in ("0,-1,32", "3,,32", "a", "3,32,99999999999", ""):
        assert run(capsys, "inspect", "mine:make", "--input-shape", shape)[0] == 2, shape
    assert run(capsys, "evaluate", tmp_path, "--data", "x.npz", "--seed", 10**30)[0] == 2
    both = ["--target-drop", "1", "--target-timesteps", "3"]
    model, data = SAMPLE / "fashion_mnist.onnx", SAMPLE / "calibration.npz"
    assert run(capsys, "convert", model, "--calibration-data", data, "-o", tmp_path / "o", *both)[0] == 2
    for option in (["--seed", -(10**30)], ["--certify", "0.01"], ["--certify", "a,b"],
                   ["--target-ms", "3", "--target-drop", "1"]):  # fmt: skip
        assert run(capsys, "convert", model, "--calibration-data", data, "-o", tmp_path / "o", *option)[0] == 2


def test_labels_out_of_range_and_missing_labels_are_said(
    capsys: pytest.CaptureFixture[str], artifact: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "wrong.npz", x=np.zeros((20, 28, 28, 1), np.uint8), y=np.full(20, 10))
    np.savez(tmp_path / "none.npz", x=np.zeros((20, 28, 28, 1), np.uint8))
    code, _, err = run(capsys, "evaluate", artifact, "--data", tmp_path / "wrong.npz")
    assert code == 1 and "out of range" in err
    code, _, err = run(capsys, "evaluate", artifact, "--data", tmp_path / "none.npz")
    assert code == 1 and "labels" in err


@pytest.mark.parametrize("name", ["manifest.json", "program.json", "weights.safetensors"])
def test_a_truncated_artifact_is_one_sentence(
    capsys: pytest.CaptureFixture[str], artifact: Path, tmp_path: Path, name: str
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(artifact, broken)
    content = (broken / name).read_bytes()
    (broken / name).write_bytes(content[: len(content) // 2])
    code, _, err = run(capsys, "evaluate", broken, "--data", SAMPLE / "test.npz")
    assert code == 1 and err.startswith("error: ") and len(err.strip().splitlines()) == 1


def test_a_model_in_training_mode_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A factory's module is put into eval mode for the user; an exported file cannot be, and is refused."""
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10), torch.nn.ReLU(), torch.nn.Dropout())
    exported = torch.export.export(model.train(), (torch.zeros(2, 1, 28, 28),))
    torch.export.save(exported, tmp_path / "training.pt2")
    data = SAMPLE / "calibration.npz"
    code, _, err = run(capsys, "convert", tmp_path / "training.pt2", "--calibration-data", data, "-o", tmp_path / "out")
    assert code == 1 and "training mode" in err


def test_a_factory_with_safetensors_weights_converts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import save_file

    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def make():\n"
        "    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 26 * 26, 10))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import mine  # type: ignore[import-not-found]

    save_file(mine.make().state_dict(), tmp_path / "w.safetensors")
    arguments = ["convert", "mine:make", "--weights", tmp_path / "w.safetensors", "--calibration-data", few]
    code, out, err = run(capsys, *arguments, "-T", "2", "-o", tmp_path / "out")
    assert code == 0, err
    assert "1 layers of signed neurons" in out or "1 layer of signed neurons" in out


INTERRUPTED_IN_THE_MIDDLE = """
import signal, sys
from seenn_convert.workflows.convert import run
run.fit_exit = lambda *arguments: signal.raise_signal(signal.SIGINT)
from seenn_convert.cli.main import main
main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_interrupting_convert_leaves_nothing_behind(tmp_path: Path, few: Path) -> None:
    arguments = ["convert", SAMPLE / "fashion_mnist.onnx", "--calibration-data", few, "-o", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IN_THE_MIDDLE, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 130 and "interrupted" in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_needs_neither_torch_nor_onnx() -> None:
    code = (
        "import sys, seenn_convert.cli.main as cli; cli.cli.main(['convert', '--help'], standalone_mode=False); "
        "assert not {'torch', 'onnx', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_pipes_get_no_progress_bars(capsys: pytest.CaptureFixture[str], artifact: Path) -> None:
    _, out, err = run(capsys, "evaluate", artifact, "--data", SAMPLE / "test.npz", "--limit", "30", "--no-report")
    assert err == "" and "\r" not in out


def test_weights_need_a_model_to_compare_with(capsys: pytest.CaptureFixture[str], artifact: Path, few: Path) -> None:
    code, _, err = run(capsys, "evaluate", artifact, "--data", few, "--weights", "w.safetensors", "--no-report")
    assert code == 1 and "--against" in err


def test_a_report_that_cannot_be_written_is_said_before_the_work(
    capsys: pytest.CaptureFixture[str], artifact: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(artifact, copy, ignore=shutil.ignore_patterns("report.html"))
    (copy / "report.html").mkdir()
    before = (copy / "report.json").read_bytes()
    code, out, err = run(capsys, "evaluate", copy, "--data", SAMPLE / "test.npz", "--limit", "20")
    assert code == 1 and out == "" and "report.html is a folder" in err
    assert (copy / "report.json").read_bytes() == before


COLOUR = """
from torch import nn
def make():
    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=3), nn.ReLU(), nn.Flatten(), nn.Linear(324, 10))
"""


def test_grey_images_become_colour_for_a_factory_that_needs_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    (tmp_path / "colourful.py").write_text(COLOUR)
    monkeypatch.syspath_prepend(tmp_path)
    pixels = np.random.default_rng(0).integers(256, size=(20, 28, 28), dtype=np.uint8)
    (tmp_path / "grey").mkdir()
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / "grey" / f"{number}.png")
    convert = ["convert", "colourful:make", "--calibration-data", tmp_path / "grey", "-T", "2", "-o", tmp_path / "out"]
    for options in ([], ["--mean", "0.5,0.5,0.5"], ["--input-shape", "3,28,28"]):
        code, _, err = run(capsys, *convert, *options)
        assert code == 0, err
        assert json.loads((tmp_path / "out" / "report.json").read_text())["model"]["input_shape"] == [3, 28, 28]
    code, _, err = run(capsys, *convert, "--input-shape", "1,28,28")
    assert code == 1 and "does not accept an image of shape (1, 28, 28)" in err and "--input-shape" in err


@pytest.mark.slow
def test_calibrate_keeps_the_options_that_are_not_given(
    capsys: pytest.CaptureFixture[str], few: Path, tmp_path: Path
) -> None:
    out, again, other = tmp_path / "out", tmp_path / "again", tmp_path / "other"
    made = ["--neuron", "if", "--calibration", "fast", "--threshold", "percentile", "--percentile", "98", "-T", "3",
            "--per-layer", "--target-timesteps", "2", "--seed", "5"]  # fmt: skip
    model = SAMPLE / "fashion_mnist.onnx"
    assert run(capsys, "convert", model, "--calibration-data", few, "-o", out, *SCALE, *made)[0] == 0
    assert run(capsys, "calibrate", out, "--data", few, "-o", again)[0] == 0
    changed = ["-T", "2", "--threshold", "mse", "--target-drop", "1", "--neuron", "multilevel"]
    assert run(capsys, "calibrate", out, "--data", few, "-o", other, *changed)[0] == 0
    options = [load_artifact(path).provenance.options for path in (out, again, other)]
    assert options[0] == options[1]
    assert options[2] == {
        **options[0], "timesteps": 2, "threshold": "mse, 8 levels", "neuron": "multilevel", "neuron_levels": 3,
        "rule": {"kind": "mse", "levels": 8, "candidates": 100},
        "target": {"drop": 1.0, "timesteps": None, "milliseconds": None},
    }  # fmt: skip


@pytest.mark.slow
def test_calibrate_keeps_a_rule_that_has_no_option_on_the_command_line(
    capsys: pytest.CaptureFixture[str], few: Path, tmp_path: Path
) -> None:
    out, same, finer = tmp_path / "out", tmp_path / "same", tmp_path / "finer"
    images = sc.open_dataset(few, sc.Preprocessing(mean=(0.2860,), std=(0.3530,)))
    rule = ScaledRule(MseRule(4, candidates=30), 1.5)
    sc.convert(str(SAMPLE / "fashion_mnist.onnx"), images, sc.Options(3, rule=rule, calibration="fast")).save(out)
    assert run(capsys, "calibrate", out, "--data", few, "-o", same)[0] == 0
    found, wanted = load_artifact(same), load_artifact(out)
    assert found.provenance.options["rule"] == rule.to_json()
    assert found.provenance.calibration.thresholds == wanted.provenance.calibration.thresholds

    code, _, error = run(capsys, "calibrate", out, "--data", few, "-o", finer, "--levels", "9")
    assert code == 2 and "--levels has no effect without --threshold mse" in error  # a scaled rule has no levels itself
    assert run(capsys, "calibrate", out, "--data", few, "-o", out, "--threshold", "mse", "--levels", "9")[0] == 0
    assert run(capsys, "calibrate", out, "--data", few, "-o", finer, "--levels", "5")[0] == 0
    assert load_artifact(finer).provenance.options["rule"] == MseRule(5).to_json()


@pytest.mark.parametrize(("options", "message"), [
    (["--mean", "123", "--std", "58"], "--mean is of pixels in [0, 1]; divide one of pixels in 0..255 by 255"),
    (["--levels", "4"], "--levels has no effect without --threshold mse or --threshold balance"),
    (["--threshold", "max", "--percentile", "99"], "--percentile has no effect without --threshold percentile"),
    (["--front", "none", "--front-budget", "0.2"], "--front-budget has no effect without --front auto"),
    (["--certify-risk", "accuracy"], "--certify-risk has no effect without --certify"),
    (["--certify-bound", "betting"], "--certify-bound has no effect without --certify"),
])  # fmt: skip
def test_an_option_without_effect_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], few: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    code, _, error = run(
        capsys, "convert", SAMPLE / "fashion_mnist.onnx", "--calibration-data", few, "-o", tmp_path / "out", *options
    )
    assert code == 2 and message in error and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_certificate_goes_from_convert_to_inspect_evaluate_and_calibrate(
    capsys: pytest.CaptureFixture[str], few: Path, tmp_path: Path
) -> None:
    out, again, without, other = (tmp_path / name for name in ("out", "again", "without", "other"))
    model = SAMPLE / "fashion_mnist.onnx"
    arguments = ["convert", model, "--calibration-data", few, "-T", "2", "-o", out, *SCALE,
                 "--calibration", "fast", "--certify", "0.2,0.1"]  # fmt: skip
    code, text, _ = run(capsys, *arguments)
    assert code == 0 and "early exit changes at most 20 % of the answers that all 2 timesteps would give" in text
    assert "asked for: what the certificate allows" in text
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["certificate"]["images"] == 40 and manifest["certificate"]["policy"] == manifest["policy"]
    assert "at most 20 % of the answers" in run(capsys, "inspect", out)[1]
    assert json.loads(run(capsys, "inspect", out, "--json")[1])["certificate"] == manifest["certificate"]

    text = run(capsys, "evaluate", out, "--data", SAMPLE / "test.npz", "--limit", "60")[1]
    assert "The certificate holds here" in text or "The certificate does not hold here" in text
    page = (out / "report.html").read_text()
    assert "What is certified" in page and "hold" in page

    assert run(capsys, "calibrate", out, "--data", few, "-o", again, "--certify-risk", "accuracy")[0] == 0
    assert run(capsys, "calibrate", out, "--data", few, "-o", without, "--certify", "none")[0] == 0
    assert run(capsys, "calibrate", without, "--data", few, "-o", other, "--certify", "0.3,0.1")[0] == 0
    kept, dropped, alone = (load_artifact(path) for path in (again, without, other))
    assert kept.certificate is not None and (kept.certificate.risk, kept.certificate.epsilon) == ("accuracy", 0.2)
    assert dropped.certificate is None and dropped.provenance.options["target"]["drop"] == 0.5
    assert alone.provenance.options["target"] is None  # the default drop of before gives way to the certificate


@pytest.mark.slow
def test_a_time_becomes_timesteps_or_is_refused(capsys: pytest.CaptureFixture[str], few: Path, tmp_path: Path) -> None:
    model, out = SAMPLE / "fashion_mnist.pt2", tmp_path / "out"
    arguments = ["convert", model, "--calibration-data", few, "-T", "3", "-o", out, *SCALE, "--calibration", "fast",
                 "--target-ms"]  # fmt: skip
    code, _, error = run(capsys, *arguments, "0.000001")
    assert code == 1 and "is out of reach: the stem" in error and not out.exists()
    code, text, _ = run(capsys, *arguments, "60000", "--json")
    found = json.loads(text)["conversion"]["exit"]
    assert code == 0 and found["target"] == {"drop": None, "timesteps": None, "milliseconds": 60000.0}
    assert found["step_time"]["timesteps"] == 3 and found["step_time"]["batch_size"] == 100
    assert found["step_time"]["stem"] > 0 < found["step_time"]["step"]


def test_the_help_of_calibrate_shows_no_default_that_it_does_not_apply(capsys: pytest.CaptureFixture[str]) -> None:
    text = {}
    for command in ("calibrate", "convert"):
        main([command, "--help"])
        text[command] = " ".join(capsys.readouterr().out.split())
    assert text["calibrate"].count("[default: (unchanged)") > 8
    assert "[default: signed]" in text["convert"] and "[default: signed]" not in text["calibrate"]
    assert "[default: 128;" in text["calibrate"]
