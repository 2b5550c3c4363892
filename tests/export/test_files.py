"""Files and folders are written whole or not at all, and damaged JSON is a clear error."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from seenn_convert.errors import ArtifactError, InputError
from seenn_convert.export.files import (
    check_replaceable,
    read_json,
    replaced_folder,
    sha256_of,
    sha256_of_json,
    write_json,
    write_text,
)

MARKER = "manifest.json"


def fill(folder: Path, text: str) -> None:
    (folder / MARKER).write_text(text)
    (folder / "more").mkdir()
    (folder / "more" / "data").write_text(text)


def texts(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"
    with replaced_folder(target, MARKER) as folder:
        assert folder.parent == target.parent
        fill(folder, "one")
        (folder / "gone").write_text("")
    with replaced_folder(target, MARKER) as folder:
        fill(folder, "two")
        assert texts(target)[MARKER] == "one"
    assert texts(target) == {MARKER: "two", "more/data": "two"}
    assert os.listdir(target.parent) == ["out"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [True, False])
def test_an_interruption_leaves_what_was_there(tmp_path: Path, error: type[BaseException], before: bool) -> None:
    target = tmp_path / "out"
    if before:
        with replaced_folder(target, MARKER) as folder:
            fill(folder, "one")
    with pytest.raises(error), replaced_folder(target, MARKER) as folder:
        (folder / MARKER).write_text("half")
        raise error
    assert os.listdir(tmp_path) == (["out"] if before else [])
    if before:
        assert texts(target) == {MARKER: "one", "more/data": "one"}


def test_an_interruption_between_the_renames_puts_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, rename = tmp_path / "out", Path.rename
    with replaced_folder(target, MARKER) as folder:
        fill(folder, "one")

    def interrupted(self: Path, to: Path) -> Path:
        if "writing" in self.name:
            raise KeyboardInterrupt
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), replaced_folder(target, MARKER) as folder:
        fill(folder, "two")
    assert texts(target)[MARKER] == "one"
    assert os.listdir(tmp_path) == ["out"]


def test_only_an_artifact_or_an_empty_folder_is_replaced(tmp_path: Path) -> None:
    other, file, empty = tmp_path / "other", tmp_path / "file", tmp_path / "empty"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    file.write_text("")
    empty.mkdir()
    check_replaceable(empty, MARKER)
    check_replaceable(tmp_path / "missing", MARKER)
    for path, reason in ((other, "not an artifact"), (file, "is a file")):
        with pytest.raises(InputError, match=reason), replaced_folder(path, MARKER):
            pytest.fail("the block must not run")
    assert texts(other) == {"thesis.tex": "years of work"}


def test_where_nothing_can_be_written_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"), replaced_folder(tmp_path / "file" / "out", MARKER):
        pytest.fail("the block must not run")


def test_a_relative_path_works_from_inside_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    with replaced_folder(Path("."), MARKER) as folder:
        fill(folder, "one")
    assert texts(tmp_path / "out")[MARKER] == "one"


def test_a_file_is_replaced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "a", "Größe")
    assert (tmp_path / "a").read_bytes() == "Größe".encode()

    def fails(self: Path, to: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "Größe"
    assert os.listdir(tmp_path) == ["a"]


def test_json_goes_out_and_in(tmp_path: Path) -> None:
    data = {"a": [1, 2.5, None, "ü"], "b": {"c": True}}
    write_json(tmp_path / "a.json", data)
    assert read_json(tmp_path / "a.json") == data
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "b.json", {"x": float("nan")})
    assert os.listdir(tmp_path) == ["a.json"]


LONG_NUMBER = b'{"a": ' + b"9" * 5000 + b"}"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"3", b"null", b"\xff\xfe\0", LONG_NUMBER, b"[" * 200_000])
def test_damaged_json_is_an_artifact_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"a\.json is damaged"):
        read_json(tmp_path / "a.json")


def test_missing_json_and_a_folder_are_artifact_errors(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="missing"):
        read_json(tmp_path / "none.json")
    with pytest.raises(ArtifactError, match="damaged"):
        read_json(tmp_path)


def test_hashes_are_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
    assert sha256_of_json({"b": 1, "a": 2}) == hashlib.sha256(b'{"a":2,"b":1}').hexdigest()
    assert sha256_of_json(json.loads('{"a":2, "b":1}')) == sha256_of_json({"b": 1, "a": 2})
