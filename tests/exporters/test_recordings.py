"""Recordings whose frames vary in time: the export reads the frame of each row's own timestep, too."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

import seenn_convert as sc
from seenn_convert.exporters.made_up import made_up_images
from seenn_convert.exporters.onnx.run_seenn import Network
from seenn_convert.exporters.onnx.split import OnnxExporter

SHAPE = (3, 2, 8, 8)


def test_recordings_agree_with_rows_of_different_age(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(96, 3)
    data = torch.poisson(torch.rand(80, *SHAPE), generator=torch.Generator().manual_seed(1))
    artifact = sc.convert(nn.Sequential(*layers).eval(), data, sc.Options(neuron="multilevel", calibration="fast"))
    exporter = OnnxExporter()
    exporter.write(artifact, tmp_path)
    found = exporter.verify(tmp_path, artifact, data[:24])
    answers, trace = Network(tmp_path)(data.numpy(), 5), sc.run_early_exit(artifact.model(), data, 80)

    assert (found.answers_differ, found.exits_differ) == (0, 0) and found.largest_error <= 1e-5
    assert np.array_equal(answers.exit_step, trace.exit_step.numpy())
    assert np.array_equal(answers.predictions, trace.predictions.numpy())


def test_made_up_recordings_are_counts() -> None:
    made = made_up_images(SHAPE, sc.Preprocessing(events=sc.EventFrames(3)), 4)
    assert tuple(made.shape) == (4, *SHAPE) and torch.equal(made, made.round()) and bool((made >= 0).all())
