"""Laws of ``read_npz``: which arrays it takes, how it finds the channels, what it refuses."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seenn_convert.data.readers import free_memory, npz
from seenn_convert.data.readers.npz import read_npz
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import InputError


def counting(*shape: int) -> Any:
    """A uint8 array whose elements differ, so that a wrong axis order shows."""
    return (np.arange(np.prod(shape)) % 251).astype(np.uint8).reshape(shape)


def save(folder: Path, **arrays: Any) -> Path:
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return path


def test_uint8_channels_last_becomes_channels_first(tmp_path: Path) -> None:
    x = counting(2, 5, 6, 3)

    pixels, labels = read_npz(save(tmp_path, x=x))

    assert torch.equal(pixels, torch.from_numpy(x).permute(0, 3, 1, 2))
    assert labels is None


def test_uint8_channels_first_stays(tmp_path: Path) -> None:
    x = counting(2, 3, 5, 6)

    assert torch.equal(read_npz(save(tmp_path, x=x))[0], torch.from_numpy(x))


def test_uint8_without_channel_axis_is_one_channel(tmp_path: Path) -> None:
    x = counting(2, 5, 6)

    assert torch.equal(read_npz(save(tmp_path, x=x))[0], torch.from_numpy(x).unsqueeze(1))


@pytest.mark.parametrize(
    ("shape", "channels", "expected"),
    [
        ((2, 5, 6, 1), None, (1, 5, 6)),
        ((2, 5, 6, 4), None, (4, 5, 6)),
        ((2, 4, 5, 6), None, (4, 5, 6)),
        ((2, 5, 6, 2), 2, (2, 5, 6)),
        ((2, 2, 5, 6), 2, (2, 5, 6)),
        ((2, 3, 5, 4), 4, (4, 3, 5)),
        ((2, 3, 5, 4), 3, (3, 5, 4)),
        ((2, 3, 4, 4), None, (3, 4, 4)),
        ((2, 4, 4, 3), None, (3, 4, 4)),
        ((2, 3, 3, 3), None, (3, 3, 3)),
        ((2, 1, 28, 1), None, (1, 1, 28)),
        ((2, 3, 9, 3), 3, (3, 3, 9)),
    ],
)
def test_the_channel_axis_is_found(
    tmp_path: Path, shape: tuple[int, ...], channels: int | None, expected: tuple[int, ...]
) -> None:
    assert read_npz(save(tmp_path, x=counting(*shape)), Wanted(channels=channels))[0].shape[1:] == expected


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_floats_are_taken_as_they_are_in_float32(tmp_path: Path, dtype: Any) -> None:
    x = np.linspace(-2.5, 300, 2 * 3 * 4 * 4).reshape(2, 3, 4, 4).astype(dtype)

    pixels, _ = read_npz(save(tmp_path, x=x), Wanted(channels=3))

    assert pixels.dtype == torch.float32
    assert np.array_equal(pixels.numpy(), x.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.uint64, ">i2"])
def test_labels_of_any_whole_type_become_int64(tmp_path: Path, dtype: Any) -> None:
    _, labels = read_npz(save(tmp_path, x=counting(3, 4, 4), y=np.array([2, 0, 1], dtype)))

    assert labels is not None
    assert labels.dtype == torch.int64
    assert labels.tolist() == [2, 0, 1]


def test_a_compressed_archive_reads_the_same(tmp_path: Path) -> None:
    x = counting(2, 5, 6, 3)
    np.savez_compressed(tmp_path / "small.npz", x=x)

    assert torch.equal(read_npz(tmp_path / "small.npz")[0], read_npz(save(tmp_path, x=x))[0])


def test_other_arrays_in_the_archive_are_left_alone(tmp_path: Path) -> None:
    path = save(tmp_path, x=counting(2, 4, 4), names=np.array(["a", "b"], dtype=object))

    assert len(read_npz(path)[0]) == 2


NAN = np.zeros((2, 1, 3, 3), np.float32)
NAN[1, 0, 2, 1] = np.nan
HUGE = np.zeros((1, 1, 2, 2))
HUGE[0, 0, 0, 1] = 1e300


@pytest.mark.parametrize(
    ("arrays", "channels", "message"),
    [
        ({"images": counting(2, 4, 4)}, None, "holds no array x, only images; name the images x"),
        ({}, None, "holds no array x, only nothing"),
        ({"x": counting(4)}, None, r"shape \(4,\) has no axis of samples"),
        ({"x": np.uint8(3)}, None, r"shape \(\)"),
        ({"x": counting(2, 5, 6, 2)}, None, "is 1, 3 or 4 channels"),
        ({"x": counting(2, 4, 4).astype(np.int64)}, None, "dtype int64; give uint8"),
        ({"x": counting(2, 4, 4) > 3}, None, "dtype bool"),
        ({"x": np.array(["a"])}, None, "dtype <U1"),
        ({"x": np.zeros((1, 1, 2, 2), complex)}, None, "dtype complex128"),
        ({"x": np.array([None, 3], dtype=object)}, None, "x holds Python objects"),
        ({"x": np.zeros((0, 3, 4, 4), np.uint8)}, None, "is empty"),
        ({"x": np.zeros((2, 1, 0, 4), np.float32)}, None, "is empty"),
        ({"x": NAN}, None, r"x\[1, 0, 2, 1\] is nan"),
        ({"x": HUGE}, None, r"x\[0, 0, 0, 1\] is inf"),
        ({"x": counting(2, 5, 6, 3)}, 1, r"3 channel\(s\) and the model takes 1"),
        ({"x": counting(2, 5, 6)}, 3, r"1 channel\(s\) and the model takes 3"),
        ({"x": np.zeros((2, 8, 8, 3), np.float32)}, 3, r"numpy.moveaxis\(x, -1, 1\)"),
        ({"x": counting(2, 4, 4), "y": np.array([0.0, 0.5])}, None, "labels y have dtype float64"),
        ({"x": counting(2, 4, 4), "y": np.array([0, 1, 2])}, None, r"shape \(3,\) and x holds 2 images"),
        ({"x": counting(2, 4, 4), "y": np.array([[0, 1], [1, 0]])}, None, r"shape \(2, 2\)"),
        ({"x": counting(2, 4, 4), "y": np.array([0, -1])}, None, r"label y\[1\] is -1"),
        ({"x": counting(2, 4, 4), "y": np.array([2**63, 0], np.uint64)}, None, r"label y\[0\] is 9223372036854775808"),
        ({"x": counting(2, 4, 4), "y": np.array([0, None])}, None, "y holds Python objects"),
    ],
)
def test_an_unusable_array_is_refused_by_name(
    tmp_path: Path, arrays: dict[str, Any], channels: int | None, message: str
) -> None:
    path = save(tmp_path, **arrays)

    with pytest.raises(InputError, match=message) as caught:
        read_npz(path, Wanted(channels=channels))

    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_single_array_is_not_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "single.npz"
    with path.open("wb") as file:
        np.save(file, counting(2, 4, 4))

    with pytest.raises(InputError, match="not an npz archive but a single array"):
        read_npz(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive at all", b"\x80\x04N."])
def test_other_bytes_are_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.npz"
    path.write_bytes(content)

    with pytest.raises(InputError, match="not a readable npz archive"):
        read_npz(path)


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_bytes_give_an_input_error_or_a_whole_array(tmp_path: Path, compressed: bool) -> None:
    """100 files, cut short or with bytes changed at random places: no other exception gets out."""
    path = tmp_path / "data.npz"
    write = np.savez_compressed if compressed else np.savez
    write(path, x=counting(3, 6, 5, 3), y=np.array([0, 1, 2]))
    content, random = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for trial in range(100):
        damaged = np.frombuffer(content, np.uint8).copy()
        places = random.integers(len(damaged), size=random.integers(1, 9))
        damaged[places] = random.integers(256, size=len(places))
        end = random.integers(len(damaged)) if trial % 3 == 0 else len(damaged)
        path.write_bytes(damaged[:end].tobytes())
        try:
            pixels, labels = read_npz(path)
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)
        else:
            assert pixels.ndim == 4
            assert labels is None or labels.shape == (len(pixels),)

    assert refused >= 34  # at least every file that was cut short


def test_what_is_announced_is_judged_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise AssertionError("the arrays were read")

    monkeypatch.setattr(npz, "_array", read)
    floats = np.zeros((4, 1, 3, 3), np.float32)
    for arrays, wanted, message in (
        ({"x": floats}, Wanted(labelled=True), "has no labels"),
        ({"x": floats}, Wanted((1, 4, 4)), r"x has shape \(4, 1, 3, 3\), the model takes \(N, 1, 4, 4\)"),
        ({"x": floats, "y": np.zeros(3, int)}, Wanted(), "x holds 4 images"),
        ({"x": counting(4, 5, 5, 3)}, Wanted((3, 4, 4), 3), r"images have shape \(5, 5, 3\), the model takes \(3, 4, 4\)"),
        ({"x": counting(4, 13)}, Wanted((12,), 1), "give x of shape \\(N, 12\\)"),
    ):
        with pytest.raises(InputError, match=message):
            read_npz(save(tmp_path, **arrays), wanted)


def test_an_array_beyond_the_free_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "free_memory", lambda: 4 * 9 * 4)
    assert len(read_npz(save(tmp_path, x=np.zeros((4, 1, 3, 3), np.float32)))[0]) == 4
    with pytest.raises(InputError, match="are free"):  # float64 becomes float32: both are in memory
        read_npz(save(tmp_path, x=np.zeros((4, 1, 3, 3), np.float64)))


def test_a_header_that_announces_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (2**40, 8, 8)})
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(64))
    with pytest.raises(InputError, match="x announces .* bytes and holds fewer"):
        read_npz(tmp_path / "data.npz")


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.bool_])
def test_whole_numbers_are_numbers_where_the_model_takes_no_images(tmp_path: Path, kind: Any) -> None:
    x = np.arange(24).reshape(4, 6).astype(kind)
    pixels, _ = read_npz(save(tmp_path, x=x), Wanted((6,)))

    assert pixels.dtype == torch.float32
    assert np.array_equal(pixels.numpy(), x.astype(np.float32))


@pytest.mark.parametrize("array", ["x", "y"])
def test_an_archive_of_python_objects_says_so_and_what_to_save(tmp_path: Path, array: str) -> None:
    arrays = {"x": np.zeros((2, 3), np.float32), "y": np.array([0, 1])}
    objects = {**arrays, array: arrays[array].astype(object)}
    with pytest.raises(InputError, match=rf"{array} holds Python objects; save {array}\.astype\((int|'float32')\)$"):
        read_npz(save(tmp_path, **objects))
