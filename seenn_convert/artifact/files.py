"""Write files and folders so that a crash leaves the old one or none, and read JSON with a clear error."""

import contextlib
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from seenn_convert.artifact.schema.coding import to_plain
from seenn_convert.errors import ArtifactError, InputError
from seenn_convert.regular_files import check_file_may_be

LITTER_AGE = 24 * 3600
"""Seconds after which what a writer left beside its target is litter."""


def folder_named(path: object) -> Path:
    """Return the folder that a path or text names; raises InputError for anything else."""
    if isinstance(path, (str, Path)):
        return Path(path)
    raise InputError(f"a folder is named by a path or by text, got {type(path).__name__}; give the path of the folder")


@contextmanager
def replaced_folder(path: Path, marker: str) -> Iterator[Path]:
    """Yield a fresh sibling folder to fill; at the end it takes the place of ``path``, unless an error left the block.

    Where ``path`` is a link, its target is replaced and the link stays.

    Args:
        path: The folder to make or replace.
        marker: A file that an existing ``path`` must hold to be replaced: nothing else is ever deleted.

    Raises:
        InputError: ``path`` exists and is something else, or it cannot be written, as on a full disk.
    """
    check_replaceable(path, marker)
    target = _target_of(path)
    fresh, old = _beside(target, "writing"), _beside(target, "old")
    with written_to(path):
        try:
            fresh.mkdir(parents=True)
            yield fresh
            with uninterrupted():
                _swap(fresh, target, old)
                _sweep(target)
        finally:
            with uninterrupted():
                shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def written_to(path: Path) -> Iterator[None]:
    """Turn whatever keeps the block from writing into an InputError that names ``path``."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InputError(
            f"{path} cannot be written ({reason}); make room or choose another place, nothing was left half-written"
        ) from error


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a keyboard interrupt wait until the end of the block: for moments between two states of the disk."""
    waiting: list[int] = []
    handler = signal.getsignal(signal.SIGINT)
    if handler is None or threading.current_thread() is not threading.main_thread():  # they get no interrupts
        yield
        return
    signal.signal(signal.SIGINT, lambda number, frame: waiting.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if waiting:
        signal.raise_signal(signal.SIGINT)


def check_replaceable(path: Path, marker: str) -> None:
    """Raise InputError where ``path`` is not a folder that holds ``marker`` (or is empty), or cannot be written.

    What is tried is what ``replaced_folder`` will do, so that nobody works for minutes and then cannot save.
    """
    with written_to(path):
        if path.is_symlink() and not path.exists():
            raise InputError(
                f"{path} is a link to a place that does not exist; make its target or choose another folder"
            )
        if path.exists() and not path.is_dir():
            raise InputError(f"{path} exists and is a file; choose another output folder")
        if path.exists() and any(path.iterdir()) and not (path / marker).is_file():
            raise InputError(
                f"{path} exists and is not an artifact or an export (it has no {marker}), so it is not replaced; "
                "choose another output folder"
            )
        target = _target_of(path)
        parent = next(folder for folder in target.parents if folder.exists())
        trial = _beside(parent / target.name, "writing")
        with uninterrupted():
            trial.mkdir()
            trial.rmdir()


def _swap(fresh: Path, target: Path, old: Path) -> None:
    """Let ``fresh`` take the place of ``target``, and remove what was there; a failure puts it back."""
    try:
        if target.exists():
            target.rename(old)
        fresh.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _target_of(path: Path) -> Path:
    """Return the absolute path with every link followed."""
    try:
        return Path(os.path.realpath(path))
    except ValueError as error:  # a zero byte in the name
        raise InputError(f"{str(path)!r} cannot be the name of a file ({error}); choose another") from error


def _beside(path: Path, purpose: str) -> Path:
    """Return a path that no other writer uses: process ids repeat in containers, and on hosts that share a folder."""
    return path.with_name(f".{path.name}.{purpose}-{secrets.token_hex(4)}")


def _sweep(target: Path) -> None:
    """Remove what killed writers of ``target`` left beside it; ``target`` itself is whole.

    No writer takes a day between its first file and its last, so what is older is nobody's.
    """
    pattern, before = re.compile(rf"\.{re.escape(target.name)}\.(writing|old)-[0-9a-f]+"), time.time() - LITTER_AGE
    with contextlib.suppress(OSError):
        for path in target.parent.iterdir():
            if not pattern.fullmatch(path.name):
                continue
            found = path.lstat()
            if max(found.st_mtime, found.st_ctime) >= before:  # a rename changes the second alone
                continue
            if stat.S_ISDIR(found.st_mode):
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def check_writable(folder: Path, names: Sequence[str]) -> None:
    """Raise InputError where files of these names could not be written: said before the work, not after it."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder to write into; make it first")
    _check_places(folder, names)
    with written_to(folder / names[0] if len(names) == 1 else folder), tempfile.TemporaryFile(dir=folder):
        pass


def check_makeable(folder: Path, names: Sequence[str]) -> None:
    """Raise InputError where files of these names could not be written into ``folder``, which need not be there yet."""
    if folder.is_dir():
        check_writable(folder, names)
        return
    with written_to(folder):
        place = next(one for one in (folder, *folder.absolute().parents) if one.exists())
        with tempfile.TemporaryFile(dir=place):
            pass


@contextmanager
def made_folder(path: Path) -> Iterator[None]:
    """Make a folder to write into, with those above it; an error in the block takes away again what was made."""
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in new:
            with contextlib.suppress(OSError):  # others may have written into it
                folder.rmdir()
        raise


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it into place."""
    write_texts(path.parent, {path.name: text})


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files, name -> text: all under temporary names first, then all renamed, so that a full disk changes none.

    Raises:
        InputError: A folder, a pipe or a device stands in the place of one of them.
        OSError: Writing fails.
    """
    _check_places(folder, texts)
    targets = {name: _target_of(folder / name) for name in texts}  # links stay, and what they name is replaced
    fresh = {name: _beside(target, "writing") for name, target in targets.items()}
    try:
        for name, text in texts.items():
            fresh[name].write_text(text.encode(errors="replace").decode(), encoding="utf-8")
        with uninterrupted():
            for name, target in targets.items():
                fresh[name].replace(target)
                _sweep(target)
    finally:
        for path in fresh.values():
            path.unlink(missing_ok=True)


def _check_places(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        check_file_may_be(folder / name)


def json_text(data: object) -> str:
    """Return a document as readable JSON.

    Raises:
        InputError: It holds NaN or infinity; says where.
    """
    plain = to_plain(data)
    try:
        return json.dumps(plain, indent=1, allow_nan=False) + "\n"
    except ValueError as error:
        place = ".".join(next(_not_finite(plain), ("a value",)))
        raise InputError(
            f"{place} is NaN or infinite and cannot be written; look for images or weights with values that are far "
            "too large"
        ) from error


def _not_finite(data: object, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the place of each number that JSON does not have."""
    if isinstance(data, float) and not math.isfinite(data):
        yield place
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, (list, tuple)) else ()
    for name, value in entries:
        yield from _not_finite(value, (*place, str(name)))


def write_json(path: Path, data: object) -> None:
    """Write a document as readable JSON; raises InputError for NaN and infinity."""
    write_text(path, json_text(data))


def read_json(path: Path) -> dict[str, object]:
    """Return the JSON object in ``path``.

    Raises:
        ArtifactError: The file is missing, unreadable, or not a JSON object; NaN and infinity are not JSON.
    """
    if path.exists() and not path.is_file():  # a pipe may never end
        raise ArtifactError(f"{path} is damaged (not a file); convert the model again")
    try:
        # not msgspec: it refuses the names of folders that are not UTF-8
        data = json.loads(path.read_bytes(), parse_constant=_number, parse_float=_number)
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} is missing; convert the model again") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is damaged (not readable as JSON); convert the model again") from error
    if not isinstance(data, dict):
        raise ArtifactError(f"{path} is damaged (not a JSON object); convert the model again")
    return data


def _number(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ValueError(f"{text} is not a number in JSON")
    return float(text)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_json(data: Mapping[str, object]) -> str:
    """Return the SHA-256 of the canonical form of ``data``."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
