"""Laws of ``ImageStore``: what goes in comes out, and beyond the bound it lies in a file that goes with the store."""

import gc
import os

import pytest
import torch

from seenn_convert.data.dataset import Dataset
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.sources import ImageSource, ImageStore
from seenn_convert.errors import InputError

IMAGES = [
    torch.arange(24, dtype=torch.uint8).reshape(2, 3, 4),
    torch.tensor([[0.1, -2.5], [float("inf"), 3e-40]]),
    torch.arange(6, dtype=torch.float32).reshape(3, 2).t(),
    torch.zeros(1, 5, dtype=torch.uint8),
]


def stored(in_memory: int) -> ImageStore:
    store = ImageStore(in_memory)
    for image in IMAGES:
        store.add(image)
    return store


@pytest.mark.parametrize("in_memory", [1, 30, 10**6])
def test_images_of_any_shape_come_back_bit_for_bit_in_any_order(in_memory: int) -> None:
    store = stored(in_memory)

    assert len(store) == len(IMAGES)
    for index in (3, 0, 2, 1, 1, 0):
        assert store[index].dtype is IMAGES[index].dtype
        assert torch.equal(store[index], IMAGES[index])


def test_an_image_that_was_read_may_be_changed_without_effect_on_the_store() -> None:
    store = stored(10**6)
    store[0].zero_()

    assert torch.equal(store[0], IMAGES[0])


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files by /proc")
def test_only_beyond_the_bound_there_is_a_file_and_it_goes_with_the_store() -> None:
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    small, large = stored(10**6), stored(1)
    during = len(os.listdir("/proc/self/fd"))
    del small, large
    gc.collect()

    assert during == before + 1
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_full_disk_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ImageStore()

    class Full:
        def tell(self) -> int:
            return 0

        def write(self, content: bytes) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "_file", Full())
    with pytest.raises(InputError, match=r"cannot be kept in .* \(No space left on device\); set TMPDIR"):
        store.add(IMAGES[0])


def test_kept_images_say_whether_they_are_preprocessed() -> None:
    for image, preprocessed in ((IMAGES[0], False), (IMAGES[1], True)):
        store = ImageStore()
        store.add(image)
        data = Dataset.of(ImageSource("kept", store), Preprocessing())
        assert data.preprocessed is preprocessed
