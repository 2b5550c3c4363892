"""Class names are the lines of a text file."""

from pathlib import Path

import pytest

from seenn_convert.cli.class_names import ClassNames, read_class_names
from seenn_convert.errors import InputError


def test_class_names_are_the_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("Ankle boot\n  Bag \n\n", encoding="utf-8")
    assert read_class_names(path) == ("Ankle boot", "Bag")


@pytest.mark.parametrize(("content", "reason"), [
    (b"cat\ndog\ncat\n", "cat occurs twice"), (b"cat\n \ndog\n", "line 2 is empty"),
    (b"\ncat\ndog\n", "line 1 is empty"), (b"cat,,dog\n", "name 2 is empty"), (b"", "there is no name"), (b"\xff\xfe\n", "is not a text file"),
])  # fmt: skip
def test_class_names_that_cannot_be_right(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason):
        read_class_names(path)


def test_a_file_with_one_line_has_commas_between_its_names(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("cat, dog,fox\n", encoding="utf-8")
    assert read_class_names(path) == ("cat", "dog", "fox")


def test_the_option_takes_names_with_commas_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "a,b.txt").write_text("cat\ndog\n", encoding="utf-8")
    option = ClassNames()
    assert option.convert("cat, dog", None, None) == ("cat", "dog")
    assert option.convert(str(tmp_path / "a,b.txt"), None, None) == ("cat", "dog")


@pytest.mark.parametrize(("text", "reason"), [
    ("cat,dog,cat", "cat occurs twice"), ("cat,,dog", "name 2 is empty"), ("cat,dog,", "name 3 is empty"),
    ("cat", "cat: no such file; .* with commas"), (",".join(["x" * 50] * 200), "occurs twice"),
])  # fmt: skip
def test_names_on_the_command_line_that_cannot_be_right(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        ClassNames().convert(text, None, None)


def test_a_file_of_class_names_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_class_names(tmp_path / "none.txt")
