"""Only regular files are read: what may never end is refused at once, by what it is."""

import os
import socket
from pathlib import Path

import pytest

from seenn_convert.artifact.files import read_json
from seenn_convert.cli.class_names import read_class_names
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.readers.image_files import list_images
from seenn_convert.data.readers.open import open_dataset
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import ArtifactError, InputError
from seenn_convert.frontend.load import read_model
from seenn_convert.regular_files import check_regular


def test_a_file_and_a_link_to_it_are_regular(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "b").symlink_to("a")
    check_regular(tmp_path / "a")
    check_regular(str(tmp_path / "b"))


def test_anything_else_is_refused_by_what_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        for path, message in (
            (tmp_path / "pipe", "is a pipe, not a file; save"), (tmp_path / "s", "is a socket"), (tmp_path, "is a folder"),
            (Path("/dev/zero"), "is a device"), (tmp_path / "gone", "no such file"), (tmp_path / "loop", "cannot be read"),
            (Path("a\0b"), "cannot be read"),
        ):  # fmt: skip
            with pytest.raises(InputError, match=message):
                check_regular(path)


@pytest.mark.parametrize("name", ["x.npz", "x-images-idx3-ubyte", "x.gz", "x.png", "x.onnx", "x.pt2", "x.txt"])
def test_no_reader_waits_for_a_pipe(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    os.mkfifo(path)
    with pytest.raises(InputError, match="is a pipe"):
        if name.endswith("png"):
            list_images([path], Wanted(channels=3)).read(0)
        elif name.endswith("txt"):
            read_class_names(path)
        elif name.endswith(("onnx", "pt2")):
            read_model(path)
        else:
            open_dataset(path, Preprocessing())


def test_an_artifact_is_not_read_from_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(ArtifactError, match="damaged .not a file"):
        read_json(tmp_path / "manifest.json")
