"""Examples are the first to leave and the last, with pictures a browser shows."""

import base64
import io

import pytest
import small_artifacts as small
import torch
from PIL import Image

from seenn_convert.artifact.schema.evaluation import Examples
from seenn_convert.data.dataset import Dataset
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.sources import ImageSource
from seenn_convert.measure.examples import COUNT, examples, picture
from seenn_convert.runtime.early_exit import ExitTrace


def decoded(url: str) -> Image.Image:
    head, data = url.split(",", 1)
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_the_first_and_the_last_to_leave() -> None:
    steps = torch.tensor([3, 1, 8, 2, 1, 5, 8, 4, 6, 7, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3])
    confidence = torch.linspace(0.5, 0.9, 20)
    trace = ExitTrace(torch.arange(20) % 3, torch.zeros(20, 3), steps, confidence)
    found = examples(trace, small.dataset(20))
    easy, hard = ([(e.exit_step, round(e.confidence, 6)) for e in getattr(found, key)] for key in ("easy", "hard"))
    pairs = zip(steps.tolist(), [round(c, 6) for c in confidence.tolist()], strict=True)
    order = sorted(pairs, key=lambda pair: pair[0] - pair[1])
    assert easy == order[:COUNT]
    assert hard == order[::-1][:COUNT]
    first = found.easy[0]
    assert (first.label, first.prediction) == (int(small.dataset(20).labels[17]), 17 % 3)
    assert decoded(first.image).size == (8, 8)


def test_few_images_are_shown_once_and_labels_may_be_missing() -> None:
    trace = ExitTrace(torch.zeros(3, dtype=torch.int64), torch.zeros(3, 3), torch.tensor([1, 2, 3]), torch.ones(3))
    found = examples(trace, small.dataset(3, labelled=False))
    assert [len(getattr(found, key)) for key in ("easy", "hard")] == [1, 1]
    assert found.easy[0].label is None


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_any_image_becomes_a_picture(channels: int, dtype: torch.dtype) -> None:
    pixels = (torch.rand(channels, 200, 100) * 255).to(dtype)
    image = decoded(picture(pixels))
    assert image.mode == "RGB"
    assert image.size == (48, 96)


def test_a_picture_keeps_the_pixels() -> None:
    pixels = torch.arange(48, dtype=torch.uint8).reshape(3, 4, 4)
    image = decoded(picture(pixels))
    assert list(image.tobytes()) == pixels.permute(1, 2, 0).flatten().tolist()
    flat = decoded(picture(torch.full((1, 4, 4), 3.5)))
    assert set(flat.tobytes()) == {0}


def test_only_images_are_shown_and_those_with_the_channels_last_the_right_way_round() -> None:
    trace = ExitTrace(torch.zeros(4, dtype=torch.int64), torch.zeros(4, 3), torch.tensor([1, 2, 3, 4]), torch.ones(4))
    pixels = torch.rand(4, 6, 9, 3)
    last = Dataset.of(ImageSource("last", pixels), Preprocessing(layout="channels_last"))
    found = decoded(examples(trace, last).easy[0].image)
    shown = torch.tensor(list(found.convert("RGB").tobytes())).reshape(6, 9, 3) / 255
    low, high = pixels[0].min(), pixels[0].max()

    assert (shown - (pixels[0] - low) / (high - low)).abs().max() < 1 / 200
    assert examples(trace, Dataset.of(ImageSource("rows", torch.rand(4, 13)), Preprocessing())) == Examples()
