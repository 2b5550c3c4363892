"""What a torch user types first works, or is answered by one sentence of the package's own errors."""

import copy
import io
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_artifacts as small
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

import seenn_convert as sc
from seenn_convert.measure import compare as comparing

IMAGES, LABELS = small.draw(20, 5)
PIXELS = (IMAGES.clamp(0, 1) * 255).to(torch.uint8)  # (N, 1, 8, 8)
PICTURES = [Image.fromarray(image[0].numpy()) for image in PIXELS]
FAST = sc.Options(timesteps=4, calibration="fast")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("habits")
    for number, image in enumerate(PICTURES):
        image.save(path / f"{number:02}.png")
    small.artifact().save(str(path / "net"))
    return path


def said(found: list[sc.Prediction]) -> list[tuple[int, int]]:
    return [(one.label, one.timestep) for one in found]


@pytest.mark.parametrize("images", [
    IMAGES, IMAGES.double(), IMAGES.numpy(), list(IMAGES), tuple(IMAGES), (IMAGES, LABELS), iter(IMAGES),
    TensorDataset(IMAGES, LABELS), DataLoader(TensorDataset(IMAGES, LABELS), batch_size=7),
    Subset(TensorDataset(IMAGES), range(20)), small.as_dataset(IMAGES, None),
], ids=lambda images: type(images).__name__)  # fmt: skip
def test_preprocessed_images_are_predicted_as_the_model_does(images: Any) -> None:
    trace = small.artifact().model()(IMAGES)
    found = sc.predict(small.artifact(), images)
    assert said(found) == list(zip(trace.predictions.tolist(), trace.exit_step.tolist(), strict=True))
    assert [one.path for one in found] == [str(number) for number in range(20)]


@pytest.mark.parametrize("images", [
    PIXELS, PIXELS.numpy(), PIXELS[:, 0].numpy(), PIXELS.permute(0, 2, 3, 1), PICTURES, tuple(PICTURES),
    (picture for picture in PICTURES), [np.array(picture) for picture in PICTURES],
], ids=lambda images: type(images).__name__)  # fmt: skip
def test_pixels_are_preprocessed_as_those_of_files(folder: Path, images: Any) -> None:
    assert said(sc.predict(small.artifact(), images)) == said(sc.predict(str(folder / "net"), folder))


@pytest.mark.parametrize("image", [
    IMAGES[3], IMAGES[3].numpy(), IMAGES[3:4], PIXELS[3], PIXELS[3, 0].numpy(), PIXELS[3].permute(1, 2, 0), PICTURES[3],
], ids=["tensor", "array", "batch of one", "pixels", "grey pixels", "channels last", "PIL"])  # fmt: skip
def test_a_single_image_is_one_prediction(image: Any) -> None:
    whole = sc.predict(small.artifact(), IMAGES if getattr(image, "dtype", None) in (torch.float32, np.float32) else PIXELS)
    (found,) = sc.predict(small.artifact(), image)
    assert (found.label, found.timestep) == said(whole)[3]


def test_every_workflow_takes_the_folder_of_an_artifact(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "TIMED_IMAGES", 8)
    data, path = small.dataset(120, seed=3), folder / "net"
    assert sc.evaluate(str(path), data).accuracy_at == sc.evaluate(small.artifact(), data).accuracy_at
    assert sc.recalibrate(path, data).timesteps == small.artifact().timesteps
    assert sc.compare(path, data, small.dataset(40)).data.images == 120
    assert sc.attach_policy(path, data, sc.PolicyOptions(epochs=1)).snn.policy_head is not None


def test_an_evaluation_against_the_module_itself() -> None:
    data = small.dataset(40, seed=3)
    assert sc.evaluate(small.artifact(), data, against=small.trained_net()).ann_accuracy == sc.evaluate(
        small.artifact(), data
    ).ann_accuracy  # fmt: skip


@pytest.mark.parametrize("make", [
    small.artifact, small.dataset, lambda: small.artifact().model(), lambda: small.artifact().model()(IMAGES),
    lambda: small.artifact().report, lambda: sc.evaluate(small.artifact(), small.dataset(20, seed=3)),
    lambda: small.artifact().ann, lambda: small.artifact().snn, sc.Options,
])  # fmt: skip
def test_what_is_printed_fits_in_five_lines(make: Callable[[], object]) -> None:
    shown = repr(make())
    assert len(shown) < 5 * 120 and shown.count("\n") < 5


def test_an_empty_batch_has_logits_of_every_class_and_no_average() -> None:
    with warnings.catch_warnings(action="error"):
        trace = small.artifact().model()(IMAGES[:0])
        assert trace.logits.shape == (0, small.CLASSES) and len(trace) == 0
        assert trace.average_timesteps != trace.average_timesteps  # NaN, without a warning


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_floating_point_images_are_cast(dtype: torch.dtype) -> None:
    model, images = small.artifact().model(), IMAGES.to(dtype)
    assert torch.equal(model(images).logits, model(images.float()).logits)
    assert [drive.dtype for drive in model.drive(images)] == [torch.float32]


def test_a_trace_is_counted_indexed_and_iterated() -> None:
    trace = small.artifact().model()(IMAGES)
    assert len(trace) == len(list(trace)) == 20
    assert trace[3].predictions.tolist() == trace.predictions[3:4].tolist()
    assert trace[trace.exit_step > 100].logits.shape == (0, small.CLASSES)


def test_a_data_set_goes_into_a_loader_and_a_loop() -> None:
    data = small.dataset(10)
    images, labels = next(iter(DataLoader(data, batch_size=4)))
    assert torch.equal(images, small.draw(10, 1)[0][:4]) and torch.equal(labels, small.draw(10, 1)[1][:4])
    assert len(list(data)) == 10 and torch.equal(data[-1][0], small.draw(10, 1)[0][9])
    assert isinstance(small.dataset(10, labelled=False)[0], torch.Tensor)


def test_copies_and_pickles_run_alike() -> None:
    artifact, wanted = small.artifact(), small.artifact().model()(IMAGES).logits
    buffer = io.BytesIO()
    torch.save(artifact, buffer)
    for copied in (copy.deepcopy(artifact), pickle.loads(pickle.dumps(artifact))):
        assert torch.equal(copied.model()(IMAGES).logits, wanted)
    assert torch.equal(pickle.loads(pickle.dumps(artifact.model()))(IMAGES).logits, wanted)


def _answered() -> dict[str, tuple[Callable[[Path], object], str]]:
    """What is typed, by its name -> the call, and words of the sentence that answers it."""
    artifact, model, data, net = small.artifact(), small.artifact().model(), small.dataset(), small.trained_net()
    return {
        "uint8 to the model": (lambda d: model(PIXELS), "predict.artifact, images."),
        "uint8 to drive": (lambda d: model.drive(PIXELS), "float.. / 255"),
        "uint8 to the loop": (lambda d: sc.run_early_exit(model, [PIXELS], 8), "predict.artifact, images."),
        "whole numbers": (lambda d: model(IMAGES.long()), "floating-point numbers, got torch.int64"),
        "complex numbers": (lambda d: model(IMAGES + 0j), "floating-point numbers, got torch.complex64"),
        "sparse": (lambda d: model(IMAGES.to_sparse()), "dense"),
        "meta": (lambda d: model(IMAGES.to("meta")), "dense"),
        "an array": (lambda d: model(IMAGES.numpy()), "got ndarray; give a tensor"),
        "a list": (lambda d: model(list(IMAGES)), "got list; give a tensor"),
        "one image": (lambda d: model(IMAGES[0]), "unsqueeze"),
        "a loader of pairs": (lambda d: sc.run_early_exit(model, DataLoader(TensorDataset(IMAGES, LABELS)), 8), "images alone"),
        "an artifact to run": (lambda d: sc.run_early_exit(artifact, [IMAGES], 8), r"artifact\.model\(\)"),
        "no such device": (lambda d: small.artifact().model().to("cuda:99"), "cannot be moved or cast"),
        "save nowhere": (lambda d: artifact.save(None), "got NoneType"),
        "save over others": (lambda d: artifact.save(d), "is not an artifact"),
        "load an artifact": (lambda d: sc.load(artifact), "got Artifact"),
        "load a file": (lambda d: sc.load(d / "00.png"), "not an artifact folder"),
        "evaluate a model": (lambda d: sc.evaluate(model, data), "a spiking model is no artifact"),
        "arguments in the other order": (lambda d: sc.predict(IMAGES, artifact), "got Tensor"),
        "predict nothing": (lambda d: sc.predict(artifact, None), "of type NoneType"),
        "predict no image": (lambda d: sc.predict(artifact, IMAGES[:0]), "at least one image"),
        "another shape": (lambda d: sc.predict(artifact, IMAGES[:, :, :5]), "the model takes"),
        "batch size": (lambda d: sc.predict(artifact, IMAGES, batch_size=8.0), "whole number"),
        "batch size below one": (lambda d: sc.evaluate(artifact, data, batch_size=-1), "at least 1"),
        "batches of a data set": (lambda d: data.batches(2.5), "whole number"),
        "some images": (lambda d: data.take(5.0), "whole number"),
        "a class": (lambda d: sc.convert(nn.Linear, data, FAST), "give an instance"),
        "a state dict": (lambda d: sc.convert(net.state_dict(), data, FAST), "load_state_dict"),
        "a function": (lambda d: sc.convert(lambda x: x, data, FAST), "of type function"),
        "options as a dict": (lambda d: sc.convert(net, data, {"timesteps": 4}), r"Options\(timesteps=8\)"),
        "timesteps as options": (lambda d: sc.recalibrate(artifact, data, 4), "of type int"),
        "a shape of one number": (lambda d: sc.convert(net, data, FAST, input_shape=8), "such as"),
        "a preprocessing by name": (lambda d: sc.convert(net, data, FAST, preprocessing="imagenet"), "such as"),
        "class names as a number": (lambda d: sc.convert(net, data, FAST, class_names=3), "a list of text"),
        "nested tensors": (lambda d: sc.predict(artifact, torch.nested.nested_tensor([IMAGES[0]])), "dense"),
        "no file": (lambda d: sc.convert("model.onnx", "folder"), "no such file"),
        "no data": (lambda d: sc.convert(net, None, FAST), "of type NoneType"),
        "images to open": (lambda d: sc.open_dataset(IMAGES.numpy()), "as_samples"),
        "timesteps as a fraction": (lambda d: sc.Options(timesteps=8.0), "whole number"),
    }  # fmt: skip


@pytest.mark.parametrize("what", list(_answered()))
def test_the_rest_is_one_sentence(folder: Path, what: str) -> None:
    call, words = _answered()[what]
    with pytest.raises(sc.SeennConvertError, match=words) as caught:
        call(folder)
    assert "\n" not in str(caught.value)


def test_two_vectors_are_two_samples_and_not_a_pair_with_labels() -> None:
    x, y = torch.randn(60, 8), torch.randint(3, (60,))
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3)).eval()
    artifact = sc.convert(net, (x, y), FAST)
    assert len(sc.predict(artifact, (x[0], x[1]))) == 2
    assert len(sc.predict(artifact, (x, y))) == 60


def test_the_weights_of_a_factory_are_named_by_text_as_any_other_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "named_by_text.py").write_text(
        "from torch import nn\ndef make(): return nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 3))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    torch.save(nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 3)).state_dict(), tmp_path / "w.pth")
    data = (torch.randn(60, 8), torch.randint(3, (60,)))
    sc.convert("named_by_text:make", data, FAST, weights=str(tmp_path / "w.pth"))
    with pytest.raises(sc.SeennConvertError, match="by the path of their file"):
        sc.convert("named_by_text:make", data, FAST, weights=5)
