"""Laws of ``Dataset``: which batches, which part, which fingerprint."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from seenn_convert.data import Dataset, Preprocessing, open_dataset
from seenn_convert.data.sources import ImageSource
from seenn_convert.errors import InputError

PLAIN = Preprocessing()
NORMALISE = Preprocessing(mean=(0.5,), std=(0.25,))


def pixels_of(count: int, height: int = 4, width: int = 4, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(256, size=(count, height, width, 3), dtype=np.uint8)


def save_npz(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"


def save_image(path: Path, pixels: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def numbered(folder: Path, labels: list[int]) -> Dataset:
    """A data set whose image number i holds the value i everywhere, as it is."""
    x = np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1, 1)
    return open_dataset(save_npz(folder, x=x, y=np.array(labels)), PLAIN)


def all_images(dataset: Dataset, batch_size: int = 3) -> torch.Tensor:
    return torch.cat([images for images, _ in dataset.batches(batch_size)])


def test_uint8_is_scaled_to_one_and_normalised(tmp_path: Path) -> None:
    x = np.array([0, 51, 255], np.uint8).reshape(3, 1, 1)

    images = all_images(open_dataset(save_npz(tmp_path, x=x), NORMALISE))

    assert images.dtype == torch.float32
    torch.testing.assert_close(images.flatten(), torch.tensor([-2.0, -1.2, 2.0]))


def test_floats_are_used_as_they_are_whatever_the_preprocessing(tmp_path: Path) -> None:
    x = np.linspace(-3, 3, 2 * 1 * 4 * 4).reshape(2, 1, 4, 4).astype(np.float32)

    dataset = open_dataset(save_npz(tmp_path, x=x), Preprocessing(resize=9, crop=2, mean=(0.1, 0.2, 0.3), std=(9.0,)))

    assert dataset.preprocessed
    assert dataset.image_shape == (1, 4, 4)
    assert np.array_equal(all_images(dataset).numpy(), x)


def test_batches_keep_the_order_and_the_last_may_be_smaller(tmp_path: Path) -> None:
    batches = list(numbered(tmp_path, [0, 1, 2, 3, 4]).batches(2))

    assert [len(images) for images, _ in batches] == [2, 2, 1]
    for images, labels in batches:
        assert labels is not None
        assert labels.dtype == torch.int64
        assert torch.equal(images.flatten(), labels.float())


def test_batches_of_indices_come_in_the_order_asked_for(tmp_path: Path) -> None:
    dataset = numbered(tmp_path, [5, 6, 7, 8])

    (images, labels), (last, _) = dataset.batches(2, indices=[3, 0, 3])

    assert labels is not None
    assert (images.flatten().tolist(), labels.tolist(), last.flatten().tolist()) == ([3, 0], [8, 5], [3])
    assert list(dataset.batches(2, indices=[])) == []


def test_an_unlabelled_data_set_gives_no_labels(tmp_path: Path) -> None:
    dataset = open_dataset(save_npz(tmp_path, x=pixels_of(2)), PLAIN)

    assert dataset.labels is None
    assert dataset.subset([1]).labels is None
    assert [labels for _, labels in dataset.batches(1)] == [None, None]


def test_images_of_several_sizes_are_resized_one_by_one(tmp_path: Path) -> None:
    """An image comes out the same whether or not its batch holds other sizes."""
    sizes = [(8, 8), (6, 9), (16, 8), (8, 8)]
    for i, (height, width) in enumerate(sizes):
        save_image(tmp_path / f"{i}.png", pixels_of(1, height, width, seed=i)[0])
    dataset = open_dataset(tmp_path, Preprocessing(resize=6, crop=5, mean=(0.5,), std=(0.25,)), channels=3)

    together = all_images(dataset, batch_size=4)

    assert dataset.image_shape == (3, 5, 5)
    torch.testing.assert_close(together, all_images(dataset, batch_size=1))


def test_crop_alone_makes_several_sizes_alike(tmp_path: Path) -> None:
    save_image(tmp_path / "0.png", pixels_of(1, 8, 8)[0])
    save_image(tmp_path / "1.png", pixels_of(1, 6, 9)[0])

    assert all_images(open_dataset(tmp_path, Preprocessing(crop=4))).shape == (2, 3, 4, 4)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_images_that_stay_of_several_sizes_are_refused_by_their_names(tmp_path: Path, batch_size: int) -> None:
    save_image(tmp_path / "a.png", pixels_of(1, 8, 8)[0])
    save_image(tmp_path / "b.png", pixels_of(1, 6, 9)[0])
    dataset = open_dataset(tmp_path, PLAIN)

    with pytest.raises(
        InputError, match=r"b\.png is 6 x 9 pixels and .*a\.png is 8 x 8; make them alike, or convert with --resize N"
    ):
        list(dataset.batches(batch_size))


def test_grey_and_colour_in_one_folder_need_a_channel_count(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", pixels_of(1)[0])
    save_image(tmp_path / "b.png", pixels_of(1)[0, ..., 0])

    with pytest.raises(InputError, match=r"b\.png has 1 channels and .*a\.png has 3; say how many channels"):
        list(open_dataset(tmp_path, PLAIN).batches(2))

    assert all_images(open_dataset(tmp_path, PLAIN, channels=3)).shape == (2, 3, 4, 4)


def test_batches_are_contiguous_whatever_the_source(tmp_path: Path) -> None:
    save_image(tmp_path / "folder" / "a.png", pixels_of(1)[0])
    for path in (save_npz(tmp_path, x=pixels_of(2)), tmp_path / "folder"):
        assert all(images.is_contiguous() for images, _ in open_dataset(path, PLAIN).batches(2))


def test_images_are_decoded_when_their_batch_is_asked_for(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", pixels_of(1)[0])
    (tmp_path / "b.png").write_bytes(b"damaged")

    batches = open_dataset(tmp_path, PLAIN).batches(1)

    assert next(batches)[0].shape == (1, 3, 4, 4)
    with pytest.raises(InputError, match=r"b\.png: not a readable image"):
        next(batches)


def test_a_subset_of_a_subset_counts_in_the_subset(tmp_path: Path) -> None:
    for i, label in enumerate("aabb"):
        save_image(tmp_path / label / f"{i}.png", np.full((1, 1), i, np.uint8))

    part = open_dataset(tmp_path, PLAIN).subset([3, 2, 0]).subset([2, 0])

    assert part.labels is not None
    assert (part.labels.tolist(), part.paths, part.class_names) == ([0, 1], ("a/0.png", "b/3.png"), ("a", "b"))
    assert (all_images(part).flatten() * 255).round().tolist() == [0, 3]
    assert next(part.batches(1, indices=[1]))[0].mul(255).round().item() == 3


@pytest.mark.parametrize("seed", range(5))
def test_take_gives_each_class_its_share(tmp_path: Path, seed: int) -> None:
    """A class of share s gets floor(s) or ceil(s) of the images drawn, none of them twice, in the order they had."""
    counts, wanted = [50, 30, 15, 5], 23
    dataset = numbered(tmp_path, [label for label, count in enumerate(counts) for _ in range(count)])

    drawn = dataset.take(wanted, seed)

    numbers = all_images(drawn).flatten().tolist()
    assert len(numbers) == wanted
    assert numbers == sorted(set(numbers))
    assert drawn.labels is not None
    for label, count in enumerate(counts):
        assert abs(int((drawn.labels == label).sum()) - wanted * count / sum(counts)) < 1


def test_take_draws_every_image_equally_often(tmp_path: Path) -> None:
    """12 images, 5 drawn, 600 seeds: each is drawn 250 times on average, with a deviation of 12."""
    dataset = numbered(tmp_path, [0] * 5 + [1] * 4 + [2] * 3)

    times = torch.bincount(torch.tensor([index for seed in range(600) for index in dataset.take(5, seed).indices]))

    assert (times - 250).abs().max() < 5 * 12


def test_take_depends_on_the_seed_alone(tmp_path: Path) -> None:
    dataset = numbered(tmp_path, [0, 1] * 20)

    assert dataset.take(10, seed=1).indices == dataset.take(10, seed=1).indices
    assert dataset.take(10, seed=1).indices != dataset.take(10, seed=2).indices


def test_take_of_all_or_more_is_the_whole(tmp_path: Path) -> None:
    dataset = numbered(tmp_path, [0, 1, 1])

    assert list(dataset.take(3).indices) == list(dataset.take(99).indices) == [0, 1, 2]


def test_take_draws_from_unlabelled_images(tmp_path: Path) -> None:
    dataset = open_dataset(save_npz(tmp_path, x=pixels_of(20)), PLAIN)

    assert len(set(dataset.take(7).indices)) == 7


def test_the_fingerprint_changes_with_a_pixel_a_label_the_order_or_the_part(tmp_path: Path) -> None:
    x, y = pixels_of(3), np.array([0, 1, 2])
    changed = x.copy()
    changed[2, 3, 3, 2] ^= 1
    dataset = open_dataset(save_npz(tmp_path, x=x, y=y), PLAIN)

    prints = {
        dataset.fingerprint(),
        dataset.subset([0, 1]).fingerprint(),
        dataset.subset([1, 0, 2]).fingerprint(),
        open_dataset(save_npz(tmp_path, x=changed, y=y), PLAIN).fingerprint(),
        open_dataset(save_npz(tmp_path, x=x, y=y[::-1]), PLAIN).fingerprint(),
        open_dataset(save_npz(tmp_path, x=x), PLAIN).fingerprint(),
        open_dataset(save_npz(tmp_path, x=x.reshape(3, 2, 8, 3), y=y), PLAIN).fingerprint(),
    }

    assert len(prints) == 7
    assert all(len(value) == 64 for value in prints)


def test_the_fingerprint_does_not_depend_on_the_preprocessing(tmp_path: Path) -> None:
    path = save_npz(tmp_path, x=pixels_of(2))

    assert open_dataset(path, PLAIN).fingerprint() == open_dataset(path, NORMALISE).fingerprint()


@pytest.mark.parametrize(
    ("preprocessing", "message"),
    [
        (Preprocessing(crop=5), r"data\.npz, image 0: crop 5 is larger than the image of 4 x 4"),
        (Preprocessing(mean=(0.5, 0.5)), r"data\.npz, image 0: mean has 2 values and the image 3 channels"),
        (Preprocessing(std=(0.5,) * 4), r"data\.npz, image 0: std has 4 values"),
    ],
)
def test_preprocessing_that_does_not_fit_is_refused_on_opening(
    tmp_path: Path, preprocessing: Preprocessing, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        open_dataset(save_npz(tmp_path, x=pixels_of(2)), preprocessing)


def test_a_crop_larger_than_one_image_of_a_folder_names_the_file(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", pixels_of(1, 8, 8)[0])
    save_image(tmp_path / "b.png", pixels_of(1, 6, 9)[0])

    with pytest.raises(InputError, match=r"b\.png: crop 7 is larger than the image of 6 x 9"):
        list(open_dataset(tmp_path, Preprocessing(crop=7)).batches(2))


@pytest.mark.parametrize("indices", [[3], [-1], [0, 1, 99]])
def test_positions_out_of_range_are_refused_at_once(tmp_path: Path, indices: list[int]) -> None:
    dataset = numbered(tmp_path, [0, 1, 2])

    with pytest.raises(InputError, match="give positions from 0 to 2"):
        dataset.subset(indices)
    with pytest.raises(InputError, match="give positions from 0 to 2"):
        dataset.batches(2, indices)


def test_counts_below_one_are_refused_at_once(tmp_path: Path) -> None:
    dataset = numbered(tmp_path, [0, 1, 2])

    with pytest.raises(InputError, match="at least 1, got 0"):
        dataset.batches(0)
    with pytest.raises(InputError, match="at least 1, got -1"):
        dataset.take(-1)
    with pytest.raises(InputError, match="at least one image"):
        dataset.subset([])


def test_labels_follow_the_names_of_another_numbering(tmp_path: Path) -> None:
    for value, name in enumerate(("b", "c")):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.new("L", (4, 4), 40 * value).save(tmp_path / name / f"{number}.png")
    data = open_dataset(tmp_path, Preprocessing())
    matched = data.with_classes(("c", "a", "b"))

    assert data.labels is not None and data.labels.tolist() == [0, 0, 1, 1]
    assert matched.labels is not None and matched.labels.tolist() == [2, 2, 0, 0]
    assert matched.class_names == ("c", "a", "b")
    assert matched.subset([1, 2]).labels.tolist() == [2, 0]
    assert torch.cat([labels for _, labels in matched.batches(3)]).tolist() == [2, 2, 0, 0]
    assert data.with_classes(("b", "c")).fingerprint() == data.fingerprint()
    with pytest.raises(InputError, match="does not know the classes b, c; it knows a, d"):
        data.with_classes(("a", "d"))


def test_images_opened_for_one_layout_are_laid_out_for_another(tmp_path: Path) -> None:
    data = open_dataset(save_npz(tmp_path, x=pixels_of(3), y=np.arange(3)), NORMALISE).subset([2, 0])
    last = data.laid_out("channels_last")

    assert last.image_shape == (4, 4, 3) and last.preprocessing.layout == "channels_last"
    assert torch.equal(all_images(last), all_images(data).permute(0, 2, 3, 1))
    assert torch.equal(last.labels, data.labels) and last.fingerprint() == data.fingerprint()
    assert data.laid_out("channels_first") is data


def test_names_that_differ_only_in_case_are_told_to() -> None:
    data = Dataset.of(ImageSource("d", torch.zeros(3, 1, 2, 2), torch.arange(3), ("ant", "moth", "zebra")), PLAIN)
    with pytest.raises(InputError, match="differ only in upper and lower case; write both alike"):
        data.with_classes(("Zebra", "Ant", "Moth"))
    with pytest.raises(InputError, match="does not know the classes ant, moth, zebra"):
        data.with_classes(("Zebra", "Ant", "Bee"))
