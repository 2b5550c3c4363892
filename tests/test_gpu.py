"""The same network on a GPU: skipped where there is none."""

import pytest
import torch

import seenn_convert as sc
from seenn_convert.sample import FOLDER as SAMPLE


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_nearly_the_same_answers_and_exits_as_the_cpu() -> None:
    scale = sc.Preprocessing(mean=(0.2860,), std=(0.3530,))
    images = sc.open_dataset(SAMPLE / "calibration.npz", scale)
    artifact = sc.convert(SAMPLE / "fashion_mnist.onnx", images.take(200), sc.Options(timesteps=8, device="cuda"))
    batch = next(images.batches(200))[0]
    with torch.no_grad():
        here, there = artifact.model()(batch), artifact.model().to("cuda")(batch)
    same = (here.predictions == there.predictions.cpu()) & (here.exit_step == there.exit_step.cpu())
    assert float(same.double().mean()) > 0.97  # kernels round differently; exits at the edge may move
