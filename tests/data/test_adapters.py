"""Laws of ``as_samples``: whatever holds the images, the same images and labels come out, and they stay together."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from seenn_convert.data import Preprocessing, Samples, as_samples, open_dataset
from seenn_convert.data.sources import ImageStore
from seenn_convert.errors import InputError

NORMALISE = Preprocessing(mean=(0.5,), std=(0.25,))
COUNT = 7
PIXELS = np.random.default_rng(0).integers(256, size=(COUNT, 5, 6, 3), dtype=np.uint8)
FLOATS = torch.randn(COUNT, 3, 5, 6, generator=torch.Generator().manual_seed(0))
LABELS = [2, 0, 1, 1, 2, 0, 0]


class Pairs(Dataset[Any]):
    """Items as they are given; may carry names of classes as torchvision's data sets do."""

    def __init__(self, items: list[Any], classes: Any = None, target_transform: Any = None) -> None:
        self.items, self.classes, self.target_transform = items, classes, target_transform

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(zip(FLOATS, LABELS, strict=True))


class KnownStream(Stream):
    def __len__(self) -> int:
        return COUNT


class HuggingFace:
    """The interface of ``datasets.Dataset``: length, rows as mappings, features by column."""

    def __init__(self, rows: list[dict[str, Any]], features: dict[str, Any]) -> None:
        self.rows, self.features = rows, features

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]


def feature(kind: str, **fields: Any) -> Any:
    return type(kind, (), fields)()


def pictures(mode: str = "RGB") -> list[Image.Image]:
    return [Image.fromarray(pixels).convert(mode) for pixels in PIXELS]


def everything(data: Samples, size: int = 3) -> tuple[Tensor, list[int] | None]:
    batches = list(data.batches(size))
    labels = None if data.labels is None else torch.cat([label for _, label in batches]).tolist()
    return torch.cat([images for images, _ in batches]), labels


def float_items() -> list[Any]:
    return list(zip(FLOATS, LABELS, strict=True))


KINDS_OF_FLOATS: dict[str, Any] = {
    "tensors": lambda: (FLOATS, torch.tensor(LABELS)),
    "arrays": lambda: (FLOATS.double().numpy(), np.array(LABELS, np.uint8)),
    "tensor that needs a gradient, and a list": lambda: (FLOATS.clone().requires_grad_(), LABELS),
    "Dataset": lambda: Pairs(float_items()),
    "Dataset of arrays": lambda: Pairs([(image.numpy(), np.int32(label)) for image, label in float_items()]),
    "list of pairs": float_items,
    "Subset": lambda: Subset(Pairs(float_items()[::-1]), range(COUNT - 1, -1, -1)),
    "TensorDataset": lambda: TensorDataset(FLOATS, torch.tensor(LABELS)),
    "stream of known length": KnownStream,
    "DataLoader": lambda: DataLoader(Pairs(float_items()), batch_size=3),
    "DataLoader of one batch": lambda: DataLoader(Pairs(float_items()), batch_size=100),
    "DataLoader without batches": lambda: DataLoader(Pairs(float_items()), batch_size=None),
    "DataLoader of lists": lambda: DataLoader(
        Pairs(float_items()), batch_size=2, collate_fn=lambda items: ([i for i, _ in items], [x for _, x in items])
    ),
    "DataLoader of mappings": lambda: DataLoader(Pairs([{"pixel_values": i, "labels": x} for i, x in float_items()])),
}


@pytest.mark.parametrize("kind", KINDS_OF_FLOATS)
def test_floats_of_every_kind_are_taken_as_they_are_with_their_labels(kind: str) -> None:
    data = as_samples(KINDS_OF_FLOATS[kind](), NORMALISE)

    images, labels = everything(data)

    assert torch.equal(images, FLOATS)
    assert labels == LABELS
    assert data.labels is not None and data.labels.dtype == torch.int64
    assert (len(data), data.image_shape, data.preprocessing) == (COUNT, (3, 5, 6), NORMALISE)
    assert data.fingerprint() == as_samples((FLOATS, LABELS)).fingerprint()


KINDS_OF_PIXELS: dict[str, Any] = {
    "array": lambda: (PIXELS, LABELS),
    "tensor, channels first": lambda: (torch.from_numpy(PIXELS).permute(0, 3, 1, 2), torch.tensor(LABELS)),
    "Dataset of pictures": lambda: Pairs(list(zip(pictures(), LABELS, strict=True))),
    "Dataset of bytes": lambda: Pairs(list(zip(torch.from_numpy(PIXELS).permute(0, 3, 1, 2), LABELS, strict=True))),
    "Hugging Face": lambda: HuggingFace(
        [{"img": i, "fine": x, "id": 3} for i, x in zip(pictures(), LABELS, strict=True)],
        {"id": feature("Value"), "img": feature("Image"), "fine": feature("ClassLabel", names=["a", "b", "c"])},
    ),
}


@pytest.mark.parametrize("kind", KINDS_OF_PIXELS)
def test_pixels_of_every_kind_go_through_the_preprocessing_as_an_npz_does(kind: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=PIXELS, y=np.array(LABELS))
    expected = open_dataset(tmp_path / "data.npz", NORMALISE)

    data = as_samples(KINDS_OF_PIXELS[kind](), NORMALISE)

    assert torch.equal(everything(data)[0], everything(expected)[0])
    assert everything(data)[1] == LABELS
    assert data.fingerprint() == expected.fingerprint()
    assert torch.equal(data.original(4), expected.original(4))


def test_a_path_is_opened_and_samples_stay_what_they_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=PIXELS)

    data = as_samples(str(tmp_path / "data.npz"), NORMALISE, channels=3)

    assert (data.name, data.preprocessing) == (str(tmp_path / "data.npz"), NORMALISE)
    assert as_samples(data, Preprocessing()) is data


def test_pictures_take_the_channels_of_the_model_and_may_differ_in_size_where_a_crop_makes_them_alike() -> None:
    images = [Image.new("L", (8, 9), 10), Image.new("RGB", (12, 7), (20, 20, 20))]

    data = as_samples(Pairs(images), Preprocessing(resize=6, crop=5), channels=3)

    assert everything(data)[0].shape == (2, 3, 5, 5)
    assert everything(data)[1] is None


def test_images_without_labels_have_none() -> None:
    for given in (FLOATS, FLOATS.numpy(), (FLOATS, None), list(FLOATS), TensorDataset(FLOATS), DataLoader(list(FLOATS))):
        assert as_samples(given).labels is None
        assert torch.equal(everything(as_samples(given))[0], FLOATS)


def test_a_shuffled_and_augmented_loader_is_read_once_so_images_and_labels_stay_together() -> None:
    """The label is the first number of its image, which is otherwise drawn anew whenever it is asked for."""

    class Augmented(Pairs):
        def __getitem__(self, index: int) -> Any:
            image = torch.rand(1, 2, 2)
            image[0, 0, 0] = index
            return image, index

    data = as_samples(DataLoader(Augmented([0] * 50), batch_size=8, shuffle=True))
    first, labels = everything(data)

    assert labels != sorted(labels)
    assert sorted(labels) == list(range(50))
    assert first[:, 0, 0, 0].tolist() == labels
    assert torch.equal(everything(data, 7)[0], first)
    part = data.take(20, seed=3)
    assert part.labels is not None
    assert everything(part)[0][:, 0, 0, 0].tolist() == part.labels.tolist()


def test_what_does_not_fit_into_memory_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seenn_convert.data.adapters.ImageStore", partial(ImageStore, 1))

    assert torch.equal(everything(as_samples(Pairs(float_items())))[0], FLOATS)


def test_names_of_classes_come_from_the_features_or_the_classes_of_the_data_set() -> None:
    named = as_samples(KINDS_OF_PIXELS["Hugging Face"]())
    assert named.class_names == ("a", "b", "c")
    assert named.with_classes(("c", "b", "a")).labels.tolist() == [2 - label for label in LABELS]
    with pytest.raises(InputError, match="does not know the classes b; it knows a, c: give other labels"):
        named.with_classes(("a", "c"))
    base = Pairs(float_items(), classes=["x", "y", "z"])
    for given in (base, Subset(base, [0, 1]), DataLoader(Subset(base, [0, 1]))):
        assert as_samples(given).class_names == ("x", "y", "z")
    for given in (Pairs(float_items(), ["x"], lambda label: 0), Pairs(float_items(), [("x", "y")]), float_items()):
        assert as_samples(given).class_names is None


def test_the_name_says_what_it_was() -> None:
    assert as_samples(DataLoader(Subset(Pairs(float_items()), [0]))).name == "DataLoader of Subset of Pairs"
    assert as_samples(FLOATS).name == "Tensor of shape (7, 3, 5, 6)"


def test_reading_reports_its_progress() -> None:
    said: list[tuple[str, int, int]] = []
    as_samples(DataLoader(Pairs(float_items()), batch_size=3), progress=lambda *told: said.append(told))

    assert [told[1:] for told in said] == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_numbers_of_another_shape_than_images_are_taken_as_they_are() -> None:
    assert as_samples(torch.zeros(4, 9)).image_shape == (9,)
    assert next(as_samples(DataLoader([torch.ones(9)] * 4)).batches(3))[0].shape == (3, 9)


BAD = FLOATS.clone()
BAD[3, 1, 0, 2] = float("nan")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "data is of type NoneType; give a path, a tensor or array"),
        (3, "data is of type int"),
        ({"train": FLOATS}, "data is a dict of train; give one of its parts"),
        (Stream(), "Stream: has no length, so it may never end"),
        (DataLoader(Stream(), batch_size=2), "DataLoader of Stream: has no length"),
        ((image for image in FLOATS), "generator: has no length"),
        ([], "list: holds no image"),
        (FLOATS[:0], "is empty"),
        (BAD, r"x\[3, 1, 0, 2\] is nan"),
        (DataLoader(list(BAD), batch_size=2), r"DataLoader of list, image 3: x\[0, 1, 0, 2\] is nan"),
        (FLOATS.long(), "dtype int64; give uint8 pixels"),
        ([FLOATS[0], FLOATS[1, :, 1:]], r"image 1 has shape \(3, 4, 6\) and image 0 \(3, 5, 6\); make them alike"),
        ([FLOATS[0], torch.zeros(3, 5, 6, dtype=torch.uint8)], "image 1 is torch.uint8 and image 0 is torch.float32"),
        (["a.png", "b.png"], "list, image 0: is of type str; give a tensor, an array or a PIL image"),
        ([(FLOATS[0], 1, 2)], "an item has 3 parts"),
        ([{"x": FLOATS[0]}], "no image among x; name it image"),
        ([(FLOATS[0], 1), (FLOATS[1], None)], "image 1 has no label and others have"),
        ([(FLOATS[0], "cat")], r"the label of image 0 is <U3 of shape \(\); give a whole number"),
        ([(FLOATS[0], 0.5)], "labels y have dtype float64 and are not all whole"),
        ([(FLOATS[0], torch.tensor([0, 1]))], r"the label of image 0 is int64 of shape \(2,\)"),
        ([(FLOATS[0], 0), (FLOATS[1], -1)], r"y\[1\] is -1; class indices start at 0"),
        ((FLOATS, LABELS[1:]), r"labels y have shape \(6,\) and x holds 7 images"),
        ((FLOATS, [0.5] * COUNT), "labels y have dtype float64"),
        (DataLoader([0] * 4, collate_fn=lambda items: (FLOATS, LABELS[1:])), r"a batch of 7 images has labels of shape \(6,\)"),
        (DataLoader([0] * 4, collate_fn=lambda items: "text"), "images of a batch are of type str"),
        (Pairs([Image.new("I;16", (4, 4))]), "Pairs, image 0: has more than 8 bits a channel"),
        (HuggingFace([{}], {"a": feature("Image"), "b": feature("Image")}), "several columns hold images, a, b"),
        (HuggingFace([{"a": 1}], {"a": feature("Value")}), "no image among a; name it image"),
    ],
)  # fmt: skip
def test_data_that_cannot_be_used_is_refused_in_one_sentence(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        as_samples(given)

    assert "\n" not in str(caught.value)


def test_pixels_that_do_not_fit_the_model_are_refused() -> None:
    with pytest.raises(InputError, match=r"has 3 channel\(s\) and the model takes 1"):
        as_samples(PIXELS, channels=1)
    with pytest.raises(InputError, match="an image has 1, 3 or 4 channels, the model takes 64"):
        as_samples(Pairs(pictures()), channels=64)


def test_an_error_of_the_users_own_data_set_is_not_hidden() -> None:
    class Broken(Pairs):
        def __getitem__(self, index: int) -> Any:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        as_samples(Broken([0]))


class Short(list):
    """Says that it holds more than it does."""

    def __len__(self) -> int:
        return 5


@pytest.mark.parametrize(("data", "reason"), [
    (torch.zeros(4, 3, 8, 8).to_sparse(), "cannot be read as an array .* give a dense one"),
    (torch.zeros(4, 3, 8, 8, device="meta"), "cannot be read as an array"),
    (torch.quantize_per_tensor(torch.zeros(4, 3, 8, 8), 0.1, 0, torch.qint8), "cannot be read as an array"),
    ((torch.zeros(4, 3, 8, 8), [[1], [1, 2], [1], [1]]), "a list cannot be read as an array"),
    (np.ma.masked_array(np.zeros((4, 3, 8, 8), np.float32), mask=True), "a masked array hides some of its numbers"),
    ({1, 2}, "item 0 cannot be taken .*not subscriptable"),
    (Short([torch.zeros(3, 8, 8)] * 3), "has 5 items, but item 3 cannot be taken"),
])  # fmt: skip
def test_what_holds_no_plain_numbers_is_refused_in_a_sentence(data: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        as_samples(data)


def test_advice_for_tensors_works_with_tensors() -> None:
    last = FLOATS.movedim(1, -1)
    for given in (last, list(last)):
        with pytest.raises(InputError, match=r"give x\.movedim\(-1, 1\)"):
            as_samples(given, input_shape=FLOATS.shape[1:])
    with pytest.raises(InputError, match=r"give numpy\.moveaxis\(x, -1, 1\)"):
        as_samples(last.numpy(), input_shape=FLOATS.shape[1:])
