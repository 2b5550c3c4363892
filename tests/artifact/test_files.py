"""Files and folders are written whole or not at all, and damaged JSON is a clear error."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seenn_convert.artifact import files
from seenn_convert.artifact.files import (
    check_replaceable,
    check_writable,
    read_json,
    replaced_folder,
    sha256_of,
    sha256_of_json,
    uninterrupted,
    write_json,
    write_text,
    write_texts,
    written_to,
)
from seenn_convert.errors import ArtifactError, InputError

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
    with pytest.raises(InputError, match=r"layers\.1\.error is NaN or infinite and cannot be written; look for images"):
        write_json(tmp_path / "b.json", {"layers": [{"error": 0.5}, {"error": float("nan")}]})
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


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    with replaced_folder(tmp_path / "real" / "out", MARKER) as folder:
        fill(folder, "one")
    (tmp_path / "link").symlink_to("real/out")
    with replaced_folder(tmp_path / "link", MARKER) as folder:
        assert folder.parent == tmp_path / "real"
        fill(folder, "two")
    assert (tmp_path / "link").is_symlink()
    assert texts(tmp_path / "real" / "out")[MARKER] == "two"
    assert sorted(os.listdir(tmp_path)) == ["link", "real"] and os.listdir(tmp_path / "real") == ["out"]


@pytest.mark.parametrize("target", ["nowhere", "link"])
def test_a_link_to_nowhere_is_said_before_any_work(tmp_path: Path, target: str) -> None:
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(InputError, match="is a link to a place that does not exist"):
        check_replaceable(tmp_path / "link", MARKER)
    assert os.listdir(tmp_path) == ["link"]


@pytest.mark.parametrize("place", ["/proc/nobody/out", "file/out", "n" * 250])
def test_a_place_that_cannot_be_written_is_said_before_any_work(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        check_replaceable(tmp_path / place, MARKER)
    check_replaceable(tmp_path / "deep" / "er" / "out", MARKER)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_while_the_old_one_is_removed_leaves_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, rmtree = tmp_path / "out", shutil.rmtree
    with replaced_folder(target, MARKER) as folder:
        fill(folder, "one")

    def interrupted(path: Path, ignore_errors: bool) -> None:
        if path.exists():
            signal.raise_signal(signal.SIGINT)
        rmtree(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt), replaced_folder(target, MARKER) as folder:
        fill(folder, "two")
    assert texts(target)[MARKER] == "two"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_waits_for_the_end_of_the_block() -> None:
    reached, handler = False, signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        reached = True
    assert reached and signal.getsignal(signal.SIGINT) is handler


def test_several_files_are_written_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_texts(tmp_path, {"a": "1", "b": "1"})
    write = Path.write_text

    def full(self: Path, text: str, encoding: str) -> int:
        if ".b." in self.name:
            raise OSError(28, "No space left on device")
        return write(self, text, encoding=encoding)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match="No space left on device"), written_to(tmp_path):
        write_texts(tmp_path, {"a": "2", "b": "2"})
    assert texts(tmp_path) == {"a": "1", "b": "1"}


def test_a_folder_in_the_place_of_a_file_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="b is a folder where a file is to be written"):
        write_texts(tmp_path, {"a": "1", "b": "1"})
    assert os.listdir(tmp_path) == ["b"]


def test_a_name_that_is_not_utf_8_is_written_and_read_again(tmp_path: Path) -> None:
    """Names of folders may hold any bytes; Python holds them as lone surrogates."""
    name = os.fsdecode(b"caf\xe9")
    write_json(tmp_path / "names.json", {"class": name})
    assert read_json(tmp_path / "names.json") == {"class": name}
    write_text(tmp_path / "page.html", f"<p>{name}</p>")
    assert (tmp_path / "page.html").read_text() == "<p>caf?</p>"


def kill_between(tmp_path: Path, moment: str) -> None:
    """Let a process be killed as it replaces ``out``; it has the process id of the next one, as in a container."""
    code = f"""
import os, pathlib, shutil, signal
from seenn_convert.artifact import files
os.getpid_before, os.getpid = os.getpid, lambda: 1
def die(*args, **options): os.kill(os.getpid_before(), signal.SIGKILL)
{moment} = die
with files.replaced_folder(pathlib.Path({str(tmp_path / "out")!r}), "manifest.json") as folder:
    (folder / "manifest.json").write_text("two")
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL


@pytest.mark.parametrize("moment", ["files._swap", "shutil.rmtree"])
def test_what_a_killed_writer_left_stands_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """In containers every process has the same id, so a name made of it is taken for ever."""
    with replaced_folder(tmp_path / "out", MARKER) as folder:
        fill(folder, "one")
    kill_between(tmp_path, moment)
    assert len(os.listdir(tmp_path)) == 2
    monkeypatch.setattr(os, "getpid", lambda: 1)
    for text in ("three", "four"):
        with replaced_folder(tmp_path / "out", MARKER) as folder:
            fill(folder, text)
        assert texts(tmp_path / "out")[MARKER] == text


def test_old_litter_is_swept_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    litter = [".out.old-7", ".out.writing-1a2b3c4d", ".out.old-0123abcd"]
    others = [".out.old-notes", ".other.old-7", "out.old-7", ".out.writing-12.txt"]
    for name in (*litter, *others):
        (tmp_path / name).mkdir()
        fill(tmp_path / name, "left")
    (tmp_path / ".out.writing-99").write_text("a file")
    with replaced_folder(tmp_path / "out", MARKER) as folder:
        fill(folder, "new")
    assert set(os.listdir(tmp_path)) == {*litter, *others, ".out.writing-99", "out"}  # a living writer may use them
    monkeypatch.setattr(files.time, "time", lambda now=time.time(): now + files.LITTER_AGE + 60)
    with replaced_folder(tmp_path / "out", MARKER) as folder:
        fill(folder, "newer")
    assert set(os.listdir(tmp_path)) == {*others, "out"}


def test_the_only_copy_is_never_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between two renames, the old one lies beside its place; a writer that fails removes nothing."""
    (tmp_path / ".out.old-7").mkdir()
    fill(tmp_path / ".out.old-7", "one")
    monkeypatch.setattr(files.time, "time", lambda now=time.time(): now + files.LITTER_AGE + 60)
    with pytest.raises(RuntimeError), replaced_folder(tmp_path / "out", MARKER):
        raise RuntimeError
    assert texts(tmp_path / ".out.old-7")[MARKER] == "one"


def test_litter_of_files_is_swept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".report.json.writing-123").write_text("half")
    write_text(tmp_path / "report.json", "{}")
    assert len(os.listdir(tmp_path)) == 2
    monkeypatch.setattr(files.time, "time", lambda now=time.time(): now + files.LITTER_AGE + 60)
    write_text(tmp_path / "report.json", "{}")
    assert os.listdir(tmp_path) == ["report.json"]


def test_links_to_files_stay_and_what_they_name_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "new"


def test_a_pipe_in_the_place_of_a_file_is_said_and_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for refused in (lambda: write_text(tmp_path / "pipe", "new"), lambda: check_writable(tmp_path, ["pipe"])):
        with pytest.raises(InputError, match="is a pipe where a file is to be written"):
            refused()
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_name_that_no_folder_can_have_is_said_before_any_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        check_replaceable(tmp_path / name, "marker")
