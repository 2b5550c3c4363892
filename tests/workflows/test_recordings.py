"""Recordings whose frames vary in time: read, converted, judged, trained on, and refused where they do not fit."""

from functools import cache
from pathlib import Path

import harness
import numpy as np
import pytest
import torch
from event_arrays import write_recordings
from torch import Tensor, nn

import seenn_convert as sc
from seenn_convert.analysis.frames import frames_of
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.cli.main import main
from seenn_convert.errors import InputError
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.training.augment import augmented
from seenn_convert.training.unrolled import Unrolled

FRAMES, SHAPE = 3, (2, 8, 8)
OPTIONS = sc.Options(neuron="multilevel", calibration="fast")


@cache
def network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(96, 3)
    return nn.Sequential(*layers).eval()


def draw(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return counts of events, and the class that the ANN sees in their mean frame."""
    generator = torch.Generator().manual_seed(seed)
    counts = torch.poisson(torch.rand(count, 1, *SHAPE, generator=generator).expand(-1, FRAMES, -1, -1, -1), generator)
    with torch.no_grad():
        return counts, network()(counts.mean(1)).argmax(1)


@cache
def converted() -> Artifact:
    return sc.convert(network(), draw(200, 1), OPTIONS)


def test_the_report_says_first_what_is_seen_when() -> None:
    artifact = converted()
    assert artifact.report.model is not None and artifact.report.conversion is not None

    assert artifact.report.model.notes[0].startswith(f"each input is a recording of {FRAMES} frames")
    assert artifact.snn.input_shape == (FRAMES, *SHAPE)
    assert frames_of(artifact.ann) == frames_of(artifact.snn) == FRAMES
    assert artifact.timesteps == FRAMES  # one timestep for each frame, as nothing else was asked for
    assert artifact.provenance.options["timesteps"] == FRAMES
    assert "frames of a recording differ" in artifact.report.conversion.front.off
    assert "partial_recording" not in {one.code for one in artifact.report.conversion.warnings}


def test_the_ann_of_recordings_is_the_module_on_their_mean() -> None:
    counts, _ = draw(20, 2)

    harness.assert_same(converted().ann(counts), network()(counts.mean(1)).detach())


def test_an_early_exit_has_seen_the_first_frames_alone(tmp_path: Path) -> None:
    """Whatever comes in later frames, the answer after t timesteps has the same bits; a whole run sees all."""
    converted().save(tmp_path / "artifact")
    model = sc.load(tmp_path / "artifact")
    counts, _ = draw(20, 3)
    changed = torch.cat([counts[:, :2], counts[:, 2:] + 5], dim=1)

    for t in (1, 2):
        first, other = (run_early_exit(model, [rows], 20, FixedPolicy(t)).logits for rows in (counts, changed))
        assert torch.equal(first, other)
    first, other = (run_early_exit(model, [rows], 20, FixedPolicy(3)).logits for rows in (counts, changed))
    assert not torch.equal(first, other)


def test_it_is_evaluated_and_predicts() -> None:
    """The evaluation itself checks that early exit and hindsight agree on every recording."""
    counts, labels = draw(60, 4)

    found = sc.evaluate(converted(), (counts, labels))
    said = sc.predict(converted(), counts[0].numpy())

    assert found.ann_accuracy == 1
    assert found.differs_from_hindsight == 0
    assert len(found.examples.easy) == 8  # pictures of what was seen
    assert 1 <= said[0].timestep <= FRAMES


@pytest.mark.parametrize(("timesteps", "words"), [(2, "it has seen the first 2 of 3 frames"),
                                                  (4, "of 3 frames it has seen the first 1 once more than the others")])  # fmt: skip
def test_a_run_that_ends_between_frames_is_told(timesteps: int, words: str) -> None:
    options = sc.Options(neuron="multilevel", calibration="fast", timesteps=timesteps)
    conversion = sc.convert(network(), draw(60, 1), options).report.conversion
    assert conversion is not None

    told = next(one.text for one in conversion.warnings if one.code == "partial_recording")
    assert words in told and "give -T 3, or a multiple" in told


def test_files_of_single_frames_are_read_for_recordings(tmp_path: Path) -> None:
    """A .pt2 and an .onnx file say their input: what has an axis more is recordings of it."""
    image = torch.zeros(2, *SHAPE)
    batch = {0: torch.export.Dim("batch")}
    exported = torch.export.export(network(), (image,), dynamic_shapes=(batch,))
    torch.export.save(exported, tmp_path / "net.pt2")
    torch.onnx.export(network(), (image,), tmp_path / "net.onnx", dynamic_shapes=(batch,), verbose=False)
    counts, labels = draw(40, 5)
    np.savez(tmp_path / "data.npz", x=counts.numpy().astype(np.int16), y=labels.numpy())

    for file in ("net.pt2", "net.onnx"):
        artifact = sc.convert(tmp_path / file, tmp_path / "data.npz", OPTIONS)
        assert artifact.snn.input_shape == (FRAMES, *SHAPE)
        harness.assert_same(artifact.ann(counts), network()(counts.mean(1)).detach())


def test_it_is_trained_through_time_with_another_teacher() -> None:
    options = sc.FinetuneOptions(epochs=1, batch_size=32, held_out=40, learning_rate=1e-3)

    tuned = sc.finetune(converted(), draw(160, 6), options, teacher=network())

    assert frames_of(tuned.snn) == FRAMES
    assert tuned.report.conversion is not None and tuned.report.conversion.finetuning is not None
    assert sc.evaluate(tuned, draw(40, 7)).ann_accuracy == 1


def test_what_trains_computes_what_the_network_does() -> None:
    """To the bit, at every timestep: the frames of each are read in training as in a run."""
    counts, _ = draw(32, 10)
    trained = Unrolled(converted().snn)
    model = SpikingModel(trained.settled(), FRAMES, FixedPolicy(FRAMES))
    logits = collect_readouts(model, [counts], keep_logits=True).logits

    assert all(torch.equal(trained(counts, FRAMES, recompute)[0].detach(), logits) for recompute in (False, True))


def test_all_frames_of_a_recording_move_alike() -> None:
    frames = torch.rand(4, 1, 2, 32, 32).expand(-1, 3, -1, -1, -1).contiguous()

    moved = augmented(frames, torch.Generator().manual_seed(0), mirror=True)

    assert not torch.equal(moved, frames)
    assert all(torch.equal(moved[:, 0], moved[:, number]) for number in (1, 2))


@pytest.mark.parametrize(("change", "message"), [
    (lambda x: x[:, :2], "make 3 frames of each recording, not 2"),
    (lambda x: x[:, :, :1], r"x has shape \(20, 3, 1, 8, 8\), the model takes \(N, 3, 2, 8, 8\)"),
    (lambda x: x[:, 0], r"x has shape \(20, 2, 8, 8\), the model takes \(N, 3, 2, 8, 8\)"),
])  # fmt: skip
def test_recordings_of_another_shape_are_refused(change, message: str) -> None:
    counts, labels = draw(20, 8)

    with pytest.raises(InputError, match=message):
        sc.evaluate(converted(), (change(counts), labels))


def test_what_would_look_ahead_or_stand_still_is_refused() -> None:
    with pytest.raises(InputError, match="a policy head plans before the first timestep"):
        sc.attach_policy(converted(), draw(120, 9))
    with pytest.raises(InputError, match="an analog front of 1 activations runs once per input"):
        sc.convert(network(), draw(60, 1), sc.Options(front=1))
    with pytest.raises(InputError, match=r"does not accept an image of shape \(3, 8, 8\)"):
        sc.convert(network(), torch.zeros(20, FRAMES, 3, 8, 8))


def counts_as(kind: type[np.generic], path: Path, most: int = 9) -> Path:
    counts, labels = draw(60, 11)
    np.savez(path, x=counts.clamp(max=most).numpy().astype(kind), y=labels.numpy())
    return path


def test_bytes_are_refused_by_a_network_of_counts(tmp_path: Path) -> None:
    """They would be divided by 255; whoever reads data for the artifact is told."""
    counts, numbers = counts_as(np.uint8, tmp_path / "bytes.npz"), counts_as(np.int16, tmp_path / "numbers.npz")
    converted().save(tmp_path / "artifact")
    artifact = sc.load_artifact(tmp_path / "artifact")
    opened = sc.open_dataset(counts, input_shape=(FRAMES, *SHAPE))
    assert sc.Preprocessing.from_json(artifact.preprocessing.to_json()) == artifact.preprocessing  # as exports keep it

    for run in (
        lambda given: sc.evaluate(artifact, given), lambda given: sc.predict(artifact, given),
        lambda given: sc.recalibrate(artifact, exit_data=given),
        lambda given: sc.finetune(artifact, given, sc.FinetuneOptions(epochs=1)),
        lambda given: sc.convert(network(), draw(60, 1), OPTIONS, exit_data=given),
    ):  # fmt: skip
        for given in (counts, opened):
            with pytest.raises(InputError, match=r"x is uint8, which is read as pixels .* x\.astype\('int16'\)"):
                run(given)
    assert sc.evaluate(artifact, numbers).ann_accuracy == 1


def test_bytes_that_may_be_pixels_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers in [0, 1] may have been pixels over 255, so what follows says how it reads bytes and goes on."""
    (small, labels), counts = draw(60, 1), counts_as(np.uint8, tmp_path / "bytes.npz", most=1)
    artifact = sc.convert(network(), (small.clamp(max=1), labels), OPTIONS)
    assert not artifact.preprocessing.counts
    artifact.save(tmp_path / "artifact")

    assert "bytes_as_pixels" in {one.code for one in sc.evaluate(artifact, counts).warnings}
    refitted = sc.recalibrate(artifact, exit_data=counts).report.conversion
    assert refitted is not None and "bytes_as_pixels" in {one.code for one in refitted.warnings}
    main(["predict", str(tmp_path / "artifact"), str(counts)])
    assert "warning: x is uint8, so its numbers were read as pixels" in capsys.readouterr().err


def make_network() -> nn.Module:
    """Return the network, for the command line."""
    return network()


def test_event_files_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_recordings(tmp_path / "train", ["0", "1", "2"], 12)
    write_recordings(tmp_path / "test", ["0", "1", "2"], 3, seed=1)
    out = tmp_path / "artifact"

    def run(*arguments: object) -> int:
        try:
            main([str(one) for one in arguments])
        except SystemExit as left:
            return int(left.code or 0)
        return 0

    how = ["--frames", 4, "--frames-by", "count", "--sensor", "8,8", "--calibration", "fast"]
    model = f"{__name__}:make_network"
    assert run("convert", model, "--calibration-data", tmp_path / "train", "-o", out, *how) == 0
    artifact = sc.load_artifact(out)
    assert artifact.preprocessing.events == sc.EventFrames(4, "count", (8, 8))
    assert artifact.timesteps == 4
    assert run("evaluate", out, "--data", tmp_path / "test") == 0
    assert run("predict", out, tmp_path / "test" / "0" / "00000.bin", tmp_path / "test" / "1") == 0
    assert "00002.bin" in capsys.readouterr().out
    assert run("convert", model, "--calibration-data", tmp_path / "train", "-o", out, "--sensor", "8,8") == 2
    assert "give --frames, too" in capsys.readouterr().err
