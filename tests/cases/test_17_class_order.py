"""Folders sort by name and a network has an order of its own: with the order stated, every answer gets its name."""

import json
from pathlib import Path

import numpy as np
import pytest
import small_artifacts as small
import torch
from click.testing import CliRunner
from PIL import Image

import seenn_convert as sc
from seenn_convert.cli.main import cli, main
from seenn_convert.errors import InputError

pytestmark = pytest.mark.slow  # `make test` runs it, `make check` does not

NAMES = ("north", "centre", "east")  # the order of the network's outputs; sorted, it is another one
FAST = sc.Options(timesteps=4, calibration="fast")
SCALE = sc.Preprocessing(mean=(0.5,), std=(0.125,))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures in class folders, which sort as centre, east, north."""
    images, labels = small.draw(120, 5)
    path = tmp_path_factory.mktemp("order") / "classes"
    for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        (path / NAMES[label]).mkdir(parents=True, exist_ok=True)
        pixels = ((image[0] * 0.125 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
        Image.fromarray(pixels.numpy()).save(path / NAMES[label] / f"{number:03}.png")
    return path


def ann_accuracy(artifact: sc.Artifact) -> float:
    return artifact.report.conversion.exit.held_out.reference


@pytest.fixture(scope="module")
def artifact(folder: Path) -> sc.Artifact:
    return sc.convert(small.source(), folder, FAST, preprocessing=SCALE, class_names=NAMES)


def test_the_stated_order_is_kept_and_the_ann_is_right(folder: Path, artifact: sc.Artifact) -> None:
    sorted_order = sc.convert(small.source(), folder, FAST, preprocessing=SCALE)
    assert ann_accuracy(artifact) > 0.8 > 0.5 > ann_accuracy(sorted_order)
    assert artifact.class_names == artifact.report.model.class_names == NAMES

    right = [one.class_name == Path(one.path).parent.name for one in sc.predict(artifact, folder)]
    assert sum(right) > 0.7 * len(right)
    assert sc.evaluate(artifact, folder).ann_accuracy > 0.8


def test_an_order_stated_later_mends_what_follows(folder: Path, artifact: sc.Artifact) -> None:
    """Names replace those of the folders, in the report as well, and the network is the same."""
    mended = sc.convert(small.source(), folder, FAST, preprocessing=SCALE).with_classes(list(NAMES))
    assert mended.class_names == mended.report.model.class_names == NAMES
    assert ann_accuracy(sc.recalibrate(mended, folder, FAST)) == ann_accuracy(artifact)
    assert mended.with_classes(None) is mended
    with pytest.raises(InputError, match="2 class names were given for the model's 3 outputs"):
        mended.with_classes(["north", "east"])


@pytest.mark.parametrize(("names", "words"), [
    (("north", "centre", "west"), "does not know the classes east; it knows north, centre, west, of which west is not here"),
    (("up", "down", "left"), "the classes centre, east, north; it knows up, down, left, of which up, down, left are not here"),
])  # fmt: skip
def test_differences_between_folders_and_names_are_listed(folder: Path, names: tuple[str, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        sc.convert(small.source(), folder, FAST, class_names=names)


def test_an_archive_gets_names_for_its_labels(tmp_path: Path) -> None:
    images, labels = small.draw(96, 1)
    np.savez(tmp_path / "bars.npz", x=images.numpy(), y=labels.numpy())
    named = sc.convert(small.source(), tmp_path / "bars.npz", FAST, class_names=NAMES)
    assert {one.class_name for one in sc.predict(named, images)} == set(NAMES)
    assert ann_accuracy(named) == ann_accuracy(sc.convert(small.source(), tmp_path / "bars.npz", FAST))


@pytest.mark.parametrize("command", ["convert", "calibrate", "evaluate", "compare", "predict", "attach-policy"])
def test_every_command_that_reads_labels_or_shows_names_takes_them(command: str) -> None:
    assert "--class-names" in CliRunner().invoke(cli, [command, "--help"]).output


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
        raise SystemExit(0)
    return int(stop.value.code or 0)


def test_names_on_the_command_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unnamed by conversion: evaluate and predict with the names stated, the pages show them; calibrate keeps them."""
    images, labels = small.draw(120, 1)
    unlabelled = sc.convert(small.source(), images, FAST, preprocessing=SCALE)
    net, names = tmp_path / "net", ",".join(NAMES)
    unlabelled.save(net)
    assert run("evaluate", net, "--data", folder, "--class-names", names, "--json") == 0
    assert json.loads(capsys.readouterr().out)["ann_accuracy"] > 0.8
    assert json.loads((net / "report.json").read_text())["model"]["class_names"] == list(NAMES)
    assert run("predict", net, folder / "north", "--format", "csv", "--class-names", names) == 0
    assert capsys.readouterr().out.count(",north,") > 20
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    assert run("calibrate", net, "--data", folder, "--class-names", tmp_path / "names.txt") == 0
    assert sc.load_artifact(net).class_names == NAMES
    assert run("evaluate", net, "--data", folder, "--class-names", "a,b", "--no-report") == 1
    assert "2 class names were given for the model's 3 outputs" in capsys.readouterr().err
