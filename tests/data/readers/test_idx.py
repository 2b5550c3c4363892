"""Laws of ``read_idx``: bytes in file order, labels found by name, every damaged file refused."""

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from seenn_convert.data.readers.idx import read_idx
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import InputError


def idx(*shape: int, body: bytes | None = None) -> bytes:
    """An IDX file of unsigned bytes that count up."""
    count = int(np.prod(shape))
    header = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    return header + (bytes(i % 251 for i in range(count)) if body is None else body)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz", "renamed.gz"])
def test_pixels_come_in_file_order(tmp_path: Path, name: str) -> None:
    pixels, labels = read_idx(write(tmp_path / name, idx(2, 4, 5)))

    assert pixels.dtype == torch.uint8
    assert torch.equal(pixels, torch.arange(40, dtype=torch.uint8).reshape(2, 1, 4, 5))
    assert labels is None


def test_what_is_gzipped_is_told_by_the_bytes_not_by_the_name(tmp_path: Path) -> None:
    (tmp_path / "a-images-idx3-ubyte").write_bytes(gzip.compress(idx(2, 4, 5), mtime=0))
    (tmp_path / "b-images-idx3-ubyte.gz").write_bytes(idx(2, 4, 5))

    first, _ = read_idx(tmp_path / "a-images-idx3-ubyte")

    assert torch.equal(first, read_idx(tmp_path / "b-images-idx3-ubyte.gz")[0])


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
        ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
        ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte"),
        ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte.gz"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("images-idx3-ubyte", "labels-idx1-ubyte"),
    ],
)
def test_labels_lie_beside_the_images(tmp_path: Path, images: str, labels: str) -> None:
    write(tmp_path / labels, idx(3, body=bytes([7, 0, 255])))

    _, found = read_idx(write(tmp_path / images, idx(3, 2, 2)))

    assert found is not None
    assert found.dtype == torch.int64
    assert found.tolist() == [7, 0, 255]


def test_labels_of_another_part_are_not_taken(tmp_path: Path) -> None:
    write(tmp_path / "train-labels-idx1-ubyte.gz", idx(2))

    assert read_idx(write(tmp_path / "t10k-images-idx3-ubyte.gz", idx(2, 4, 5)))[1] is None


def test_grey_is_repeated_for_a_model_of_three_channels(tmp_path: Path) -> None:
    path = write(tmp_path / "a-images-idx3-ubyte", idx(2, 4, 5))

    assert torch.equal(read_idx(path, Wanted(channels=3))[0], read_idx(path, Wanted(channels=1))[0].repeat(1, 3, 1, 1))


@pytest.mark.parametrize("channels", [2, 4])
def test_other_channel_counts_are_refused(tmp_path: Path, channels: int) -> None:
    with pytest.raises(InputError, match=f"greyscale and the model takes {channels} channels"):
        read_idx(write(tmp_path / "a-images-idx3-ubyte", idx(2, 4, 5)), Wanted(channels=channels))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with 0x, not with 0x00000803"),
        (b"\x00\x00", "starts with 0x0000, not"),
        (idx(5), "starts with 0x00000801, not with 0x00000803 as IDX images do"),
        (b"\x00\x00\x0d\x03" + idx(1, 1, 1)[4:], "starts with 0x00000d03"),
        (idx(2, 4, 5)[:9], "ends within the header"),
        (idx(2, 4, 5)[:-1], r"announces \(2, 4, 5\) bytes and holds 39"),
        (idx(2, 4, 5) + b"\x00", r"announces \(2, 4, 5\) bytes and holds more"),
        (idx(2, 4, 5)[:4] + b"\xff" * 12 + idx(2, 4, 5)[16:], "announces .* bytes and holds fewer"),
        (idx(0, 28, 28), r"announces \(0, 28, 28\) and is empty"),
        (gzip.compress(idx(2, 4, 5), mtime=0)[:-9], "not a readable IDX file"),
        (gzip.compress(idx(2, 4, 5), mtime=0)[:5], "not a readable IDX file"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a-images-idx3-ubyte"
    path.write_bytes(content)

    with pytest.raises(InputError, match=message) as caught:
        read_idx(path)

    assert str(caught.value).startswith(f"{path}: ")


def test_labels_of_another_length_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a-labels-idx1-ubyte", idx(3))

    with pytest.raises(InputError, match="a-labels-idx1-ubyte: 3 labels for 2 images in a-images-idx3-ubyte"):
        read_idx(write(tmp_path / "a-images-idx3-ubyte", idx(2, 4, 5)))


def test_a_damaged_file_of_labels_is_refused_by_its_own_name(tmp_path: Path) -> None:
    write(tmp_path / "a-labels-idx1-ubyte", idx(2, 4, 5))

    with pytest.raises(InputError, match="a-labels-idx1-ubyte: starts with 0x00000803, not with 0x00000801"):
        read_idx(write(tmp_path / "a-images-idx3-ubyte", idx(2, 4, 5)))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_idx(tmp_path / "a-images-idx3-ubyte")


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_damaged_bytes_give_an_input_error_or_whole_images(tmp_path: Path, ending: str) -> None:
    """100 files, cut short or with bytes changed at random places: no other exception gets out."""
    write(tmp_path / "a-labels-idx1-ubyte", idx(3))
    path = write(tmp_path / f"a-images-idx3-ubyte{ending}", idx(3, 6, 5))
    content, random = path.read_bytes(), np.random.default_rng(0)
    for trial in range(100):
        damaged = np.frombuffer(content, np.uint8).copy()
        places = random.integers(len(damaged), size=random.integers(1, 9))
        damaged[places] = random.integers(256, size=len(places))
        end = random.integers(len(damaged)) if trial % 3 == 0 else len(damaged)
        path.write_bytes(damaged[:end].tobytes())
        try:
            pixels, labels = read_idx(path)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert pixels.shape[:2] == (3, 1)
            assert labels is not None


def test_no_more_is_unpacked_than_the_header_announces(tmp_path: Path) -> None:
    """A megabyte that would unpack to a gibibyte is refused for what follows the images, in no time and memory."""
    path = tmp_path / "a-images-idx3-ubyte.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(idx(2, 4, 5))
        for _ in range(16):
            file.write(bytes(2**22))
    tracemalloc.start()
    with pytest.raises(InputError, match="holds more"):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2**21


def test_labels_that_are_needed_are_asked_for_before_the_images_are_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no labels"):
        read_idx(write(tmp_path / "a-images-idx3-ubyte", b"no IDX file at all"), Wanted(labelled=True))
