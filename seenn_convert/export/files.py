"""Write files and folders so that a crash leaves the old one or none, and read JSON with a clear error."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from seenn_convert.errors import ArtifactError, InputError


@contextmanager
def replaced_folder(path: Path, marker: str) -> Iterator[Path]:
    """Yield a fresh sibling folder to fill; at the end it takes the place of ``path``, unless an error left the block.

    Args:
        path: The folder to make or replace.
        marker: A file that an existing ``path`` must hold to be replaced: nothing else is ever deleted.

    Raises:
        InputError: ``path`` exists and is something else, or its parent cannot be written.
    """
    path = path.absolute()
    check_replaceable(path, marker)
    fresh = path.parent / f".{path.name}.writing-{os.getpid()}"
    old = path.parent / f".{path.name}.old-{os.getpid()}"
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        _make_folder(fresh, path)
        yield fresh
        if path.exists():
            path.rename(old)
        fresh.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)


def _make_folder(fresh: Path, path: Path) -> None:
    try:
        fresh.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another output folder") from error


def check_replaceable(path: Path, marker: str) -> None:
    """Raise InputError where ``path`` exists and is not a folder that holds ``marker`` (or is empty)."""
    if not path.exists():
        return
    if not path.is_dir():
        raise InputError(f"{path} exists and is a file; choose another output folder")
    if any(path.iterdir()) and not (path / marker).is_file():
        raise InputError(f"{path} exists and is not an artifact; choose another output folder")


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it into place."""
    fresh = path.with_name(f".{path.name}.writing-{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def write_json(path: Path, data: Mapping[str, object]) -> None:
    """Write ``data`` as readable JSON; NaN and infinity are refused."""
    write_text(path, json.dumps(data, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, object]:
    """Return the JSON object in ``path``.

    Raises:
        ArtifactError: The file is missing, unreadable, or not a JSON object.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} is missing; convert the model again") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is damaged (not readable as JSON); convert the model again") from error
    if not isinstance(data, dict):
        raise ArtifactError(f"{path} is damaged (not a JSON object); convert the model again")
    return data


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_json(data: Mapping[str, object]) -> str:
    """Return the SHA-256 of the canonical form of ``data``."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
