"""Laws of ``find_images`` and ``ImageFiles``: what is an image of which class, and which pixels it has."""

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from seenn_convert.data.readers.image_folder import find_images
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import InputError

COLOUR = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3


def save(path: Path, pixels: np.ndarray = COLOUR, mode: str | None = None) -> Path:
    """Write an image, making its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path)
    return path


def test_classes_are_the_sorted_folders_and_labels_their_positions(tmp_path: Path) -> None:
    for name in ("dog/2.png", "cat/b.png", "cat/a.png", "Zebra/1.png"):
        save(tmp_path / name)

    folder = find_images(tmp_path)

    assert folder.class_names == ("Zebra", "cat", "dog")
    assert folder.paths == ("Zebra/1.png", "cat/a.png", "cat/b.png", "dog/2.png")
    assert folder.labels is not None
    assert folder.labels.tolist() == [0, 1, 1, 2]
    assert len(folder) == 4


def test_images_at_any_depth_belong_to_the_outermost_folder(tmp_path: Path) -> None:
    for name in ("a/deep/er/1.png", "a/2.png", "b/deep/3.png"):
        save(tmp_path / name)

    folder = find_images(tmp_path)

    assert folder.paths == ("a/2.png", "a/deep/er/1.png", "b/deep/3.png")
    assert folder.labels is not None
    assert folder.labels.tolist() == [0, 0, 1]


def test_a_folder_of_images_is_unlabelled(tmp_path: Path) -> None:
    save(tmp_path / "b.png")
    save(tmp_path / "a.png")

    folder = find_images(tmp_path)

    assert (folder.paths, folder.labels, folder.class_names) == (("a.png", "b.png"), None, None)


def test_hidden_files_and_other_files_are_skipped(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/.2.png", "a/.cache/3.png", ".hidden/4.png"):
        save(tmp_path / name)
    (tmp_path / "a" / "notes.txt").write_text("not an image")
    (tmp_path / "README.md").write_text("not an image")

    assert find_images(tmp_path).paths == ("a/1.png",)


@pytest.mark.parametrize("suffix", ["png", "PNG", "jpg", "Jpg", "jpeg", "bmp", "webp", "tif", "tiff", "gif", "GIF"])
def test_every_suffix_is_read_in_either_case(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / f"a.{suffix}", np.full((4, 6, 3), 128, np.uint8))

    image = find_images(tmp_path, Wanted(channels=3)).read(0)

    assert image.shape == (3, 4, 6)
    assert (image.int() - 128).abs().max() <= 2  # lossy formats


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_a_lossless_format_gives_the_pixels(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / f"a.{suffix}")

    image = find_images(tmp_path).read(0)

    assert image.dtype == torch.uint8
    assert torch.equal(image, torch.from_numpy(COLOUR).permute(2, 0, 1))


def test_the_bytes_decide_the_format_not_the_name(tmp_path: Path) -> None:
    save(tmp_path / "a.png").rename(tmp_path / "a.jpg")

    assert torch.equal(find_images(tmp_path).read(0), torch.from_numpy(COLOUR).permute(2, 0, 1))


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])

    assert torch.equal(find_images(tmp_path, Wanted(channels=1)).read(0), torch.full((1, 4, 4), 10, dtype=torch.uint8))


def test_grey_is_repeated_where_three_channels_are_wanted(tmp_path: Path) -> None:
    grey = COLOUR[..., 0]
    save(tmp_path / "a.png", grey)

    assert torch.equal(find_images(tmp_path, Wanted(channels=3)).read(0), torch.from_numpy(grey).expand(3, -1, -1))


def test_colour_becomes_luma_where_one_channel_is_wanted(tmp_path: Path) -> None:
    """Y = 0.299 R + 0.587 G + 0.114 B of ITU-R BT.601."""
    save(tmp_path / "a.png")
    luma = torch.from_numpy(COLOUR @ np.array([0.299, 0.587, 0.114]))

    image = find_images(tmp_path, Wanted(channels=1)).read(0)

    assert image.shape == (1, 4, 6)
    assert (image[0] - luma).abs().max() <= 1


@pytest.mark.parametrize(
    ("mode", "channels", "expected"),
    [("L", None, 1), ("1", None, 1), ("LA", None, 1), ("RGB", None, 3), ("RGBA", None, 3), ("P", None, 3)]
    + [("RGBA", 4, 4), ("RGB", 4, 4), ("L", 4, 4), ("RGBA", 1, 1), ("P", 1, 1)],
)
def test_the_channels_are_those_wanted_or_those_of_the_image(
    tmp_path: Path, mode: str, channels: int | None, expected: int
) -> None:
    save(tmp_path / "a.png", mode=mode)

    assert find_images(tmp_path, Wanted(channels=channels)).read(0).shape == (expected, 4, 6)


def test_transparency_is_dropped_not_blended(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.concatenate([COLOUR, np.zeros((4, 6, 1), np.uint8)], axis=2))

    assert torch.equal(find_images(tmp_path).read(0), torch.from_numpy(COLOUR).permute(2, 0, 1))


def test_a_transparent_palette_is_read_without_a_warning(tmp_path: Path) -> None:
    image = Image.fromarray(COLOUR).quantize(8)
    image.save(tmp_path / "a.png", transparency=bytes([0, 128, 255]))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_images(tmp_path).read(0).shape == (3, 4, 6)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_more_than_eight_bits_are_refused(tmp_path: Path, dtype: type) -> None:
    Image.fromarray(np.full((4, 4), 300, dtype)).save(tmp_path / "a.tif")

    with pytest.raises(InputError, match=r"a\.tif: has more than 8 bits a channel \(mode .*\); save it as an 8-bit"):
        find_images(tmp_path).read(0)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not an image")

    with pytest.raises(InputError, match="holds no image .*; give a folder of images"):
        find_images(tmp_path)


def test_a_class_folder_without_images_is_refused_by_name(tmp_path: Path) -> None:
    """Left in silence, a stray folder would shift the labels of all classes after it."""
    save(tmp_path / "cat" / "1.png")
    (tmp_path / "__MACOSX").mkdir()

    with pytest.raises(InputError, match="__MACOSX: class folder without an image"):
        find_images(tmp_path)


def test_images_beside_class_folders_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "1.png")
    save(tmp_path / "stray.png")

    with pytest.raises(InputError, match=r"image stray\.png lies beside class folder cat"):
        find_images(tmp_path)


@pytest.mark.parametrize("channels", [0, 2, 5])
def test_channels_that_no_image_has_are_refused(tmp_path: Path, channels: int) -> None:
    save(tmp_path / "a.png")

    with pytest.raises(InputError, match=f"the model takes {channels}; give an .npz file"):
        find_images(tmp_path, Wanted(channels=channels))


@pytest.mark.parametrize("content", [b"", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_other_bytes_are_refused_by_file_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)

    with pytest.raises(InputError, match=r"a\.png: not a readable image"):
        find_images(tmp_path).read(0)


def test_a_file_that_is_gone_is_refused_by_name(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png")
    folder = find_images(tmp_path)
    path.unlink()

    with pytest.raises(InputError, match=r"a\.png: no such file"):
        folder.read(0)


@pytest.mark.filterwarnings("ignore")  # Pillow warns about some damaged files before it refuses them
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp", "tif", "gif"])
def test_damaged_bytes_give_an_input_error_or_an_image(tmp_path: Path, suffix: str) -> None:
    """80 files of each format, cut short or with bytes changed at random places: no other exception gets out."""
    path = save(tmp_path / f"a.{suffix}", np.tile(COLOUR, (4, 4, 1)))
    folder, content, random = find_images(tmp_path, Wanted(channels=3)), path.read_bytes(), np.random.default_rng(0)
    for trial in range(80):
        damaged = np.frombuffer(content, np.uint8).copy()
        places = random.integers(min(len(damaged), 300), size=random.integers(1, 9))  # headers break in more ways
        damaged[places] = random.integers(256, size=len(places))
        end = random.integers(len(damaged)) if trial % 3 == 0 else len(damaged)
        path.write_bytes(damaged[:end].tobytes())
        try:
            image = folder.read(0)
        except InputError as error:
            assert str(error).startswith(f"{path}: ")
            assert "\n" not in str(error)
        else:
            assert image.shape[0] == 3
            assert image.dtype == torch.uint8


def png_of_16_bits(path: Path, colour_type: int, channels: int) -> Path:
    """Write a PNG of 4 x 4 pixels by hand: Pillow writes none in colour."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        whole = kind + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    rows = b"".join(b"\0" + bytes(range(8 * channels)) for _ in range(4))
    header = struct.pack(">IIBBBBB", 4, 4, 16, colour_type, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_a_channel_are_refused_in_grey_and_in_colour(
    tmp_path: Path, colour_type: int, channels: int
) -> None:
    png_of_16_bits(tmp_path / "a.png", colour_type, channels)

    with pytest.raises(InputError, match="more than 8 bits a channel .*; save it as an 8-bit image"):
        find_images(tmp_path, Wanted(channels=3)).read(0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [(8193, 8192), (30000, 8192)])
def test_an_image_too_large_to_be_held_is_refused_without_a_warning(tmp_path: Path, size: tuple[int, int]) -> None:
    """The second is beyond what Pillow opens. Only the headers are written."""
    header = b"IHDR" + struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (tmp_path / "a.png").write_bytes(head + struct.pack(">I", 4) + b"IDAT" + bytes(8))

    with pytest.raises(InputError, match="pixels; make it smaller"):
        find_images(tmp_path).read(0)


def test_links_to_folders_are_followed_and_loops_refused(tmp_path: Path) -> None:
    save(tmp_path / "elsewhere" / "deep" / "b.png")
    save(tmp_path / "root" / "cat" / "a.png")
    (tmp_path / "root" / "cat" / "more").symlink_to(tmp_path / "elsewhere")
    assert find_images(tmp_path / "root").paths == ("cat/a.png", "cat/more/deep/b.png")

    (tmp_path / "elsewhere" / "deep" / "back").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="back: links to a folder that it lies in; remove the link"):
        find_images(tmp_path / "root")


@pytest.mark.parametrize("name", ["\x1b[31mred", "two\nlines", "\u2028"])
def test_class_names_that_a_terminal_would_act_on_are_refused(tmp_path: Path, name: str) -> None:
    save(tmp_path / name / "a.png")

    with pytest.raises(InputError, match="holds control characters; rename the class") as caught:
        find_images(tmp_path)

    assert "\x1b" not in str(caught.value) and "\n" not in str(caught.value)
