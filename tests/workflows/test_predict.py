"""Predictions are what early exit gives for the same pixels, image by image."""

from dataclasses import replace
from pathlib import Path

import pytest
import small_artifacts as small
import torch
from PIL import Image

from seenn_convert.errors import InputError
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import ThresholdPolicy
from seenn_convert.workflows.predict import predict

ARTIFACT = replace(small.artifact(), policy=ThresholdPolicy("confidence", (0.9,) * 7 + (-1.0,)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pixels = (small.draw(20, 5)[0].clamp(0, 1) * 255).to(torch.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image[0].numpy()).save(tmp_path / f"{number:02}.png")
    return tmp_path


def test_they_are_those_of_early_exit(folder: Path) -> None:
    found = predict(ARTIFACT, folder, batch_size=8)
    images = torch.stack([torch.tensor(list(Image.open(p.path).tobytes()), dtype=torch.uint8) for p in found])
    trace = run_early_exit(ARTIFACT.model(), [images.reshape(-1, 1, 8, 8) / 255], 20)

    assert [Path(p.path).name for p in found] == [f"{number:02}.png" for number in range(20)]
    assert [p.label for p in found] == trace.predictions.tolist()
    assert [p.timestep for p in found] == trace.exit_step.tolist()
    assert [p.confidence for p in found] == pytest.approx(trace.confidence.tolist())
    assert len({p.timestep for p in found}) > 1


def test_a_single_image_gives_what_it_gives_among_others(folder: Path) -> None:
    among = predict(ARTIFACT, folder)[3]
    (alone,) = predict(ARTIFACT, str(folder / "03.png"))

    assert (alone.label, alone.timestep) == (among.label, among.timestep)
    assert alone.confidence == pytest.approx(among.confidence, abs=1e-5)


def test_names_where_they_are_known(folder: Path) -> None:
    assert predict(ARTIFACT, folder)[0].class_name is None
    (named,) = predict(replace(ARTIFACT, class_names=("low", "middle", "high")), [folder / "00.png"])
    assert named.class_name == ("low", "middle", "high")[named.label]


def test_another_score_still_reports_the_probability(folder: Path) -> None:
    """The confidence is a probability, whatever decides about leaving."""
    from seenn_convert.exits.thresholds import ExitTarget
    from seenn_convert.workflows.convert.run import Options, convert

    patient = convert(
        small.trained_net(), small.dataset(), Options(timesteps=4, score="patience", target=ExitTarget(timesteps=3))
    )
    found = predict(patient, folder)
    assert len({p.confidence for p in found}) > 5
    assert all(1 / 3 <= p.confidence <= 1 for p in found)


def test_an_unreadable_image_is_named(folder: Path) -> None:
    (folder / "05.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"05\.png: not a readable image"):
        predict(ARTIFACT, folder)


def test_an_image_of_another_size_is_named(folder: Path) -> None:
    Image.new("L", (9, 8)).save(folder / "00.png")
    with pytest.raises(InputError, match=r"00\.png: is 8 x 9 pixels .* takes 8 x 8"):
        predict(ARTIFACT, folder / "00.png")
