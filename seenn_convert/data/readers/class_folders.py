"""List the files of a folder, with or without class folders: images, or recordings."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from seenn_convert.errors import InputError


@dataclass(frozen=True)
class Found:
    """Files below a folder.

    Attributes:
        paths: Their names, relative to it.
        labels: Number of the class of each ``(N,)``; None without class folders.
        class_names: Names of the class folders; None without.
    """

    paths: tuple[str, ...]
    labels: Tensor | None = None
    class_names: tuple[str, ...] | None = None


def found_in(root: Path, suffixes: Sequence[str], kind: str) -> Found:
    """Return the files below ``root`` with one of the ``suffixes``, by their sorted class names and then file names.

    A folder of folders is labelled: each folder is a class, and files at any depth below it belong to that class. A
    folder of files is unlabelled. Hidden files and folders, and files of other kinds, are skipped. Links to folders are
    followed.

    Args:
        root: The folder.
        suffixes: In lower case.
        kind: What such a file is, for messages.

    Raises:
        InputError: There is no such file, a class folder has none, or files lie beside class folders.
    """
    entries = [entry for entry in root.iterdir() if not entry.name.startswith(".")]
    entries.sort(key=lambda entry: entry.name)
    folders = [entry for entry in entries if entry.is_dir()]
    loose = [entry.name for entry in entries if _is_one(entry.name, suffixes) and entry not in folders]
    if loose and folders:
        raise InputError(f"{root}: {kind} {loose[0]} lies beside class folder {folders[0].name}; move one of them away")
    if not folders:
        if not loose:
            raise InputError(f"{root}: holds no {kind} ({', '.join(suffixes)}); give a folder of {kind}s")
        return Found(tuple(loose))
    files = [files_below(folder, suffixes) for folder in folders]
    for folder, names in zip(folders, files, strict=True):
        if not names:
            raise InputError(
                f"{folder}: class folder without {_article(kind)} {kind}; add {kind}s or remove the folder"
            )
    labels = torch.repeat_interleave(torch.tensor([len(names) for names in files]))
    return Found(tuple(chain(*files)), labels, tuple(folder.name for folder in folders))


def files_below(folder: Path, suffixes: Sequence[str]) -> list[str]:
    """Return such files at any depth, sorted, each path relative to the parent of ``folder``.

    Raises:
        InputError: A folder cannot be listed, or links to one that it lies in.
    """

    def fail(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be listed ({error.strerror}); make it readable or remove it")

    found: list[str] = []
    above: dict[str, tuple[Path, ...]] = {str(folder): (folder.resolve(),)}
    for directory, folders, files in os.walk(folder, onerror=fail, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            real = Path(directory, name).resolve()
            if real in above[directory]:
                raise InputError(f"{Path(directory, name)}: links to a folder that it lies in; remove the link")
            above[os.path.join(directory, name)] = (*above[directory], real)
        below = Path(directory).relative_to(folder.parent).as_posix()
        found += [f"{below}/{name}" for name in files if _is_one(name, suffixes)]
    return sorted(found)


def named(paths: Sequence[Path], suffixes: Sequence[str], kind: str) -> list[str]:
    """Return the files that ``paths`` name: those that are files, and such files at any depth below folders, sorted.

    Raises:
        InputError: A path is not there, a folder holds no such file, or there is no path.
    """
    found: list[str] = []
    for path in paths:
        if path.is_dir():
            below = [str(path.parent / name) for name in files_below(path, suffixes)]
            if not below:
                raise InputError(f"{path}: holds no {kind}; give {kind} files or a folder of some")
            found += below
        elif path.exists():
            found.append(str(path))
        else:
            raise InputError(f"{path}: no such file or folder; check the path")
    if not found:
        raise InputError(f"no {kind} is given; name {kind} files or folders")
    return found


def first_suffix(root: Path, suffixes: Sequence[str]) -> str | None:
    """Return the suffix, one of ``suffixes``, of some file in a folder or below its folders; None if there is none."""
    for top in (root, *(entry for entry in root.iterdir() if entry.is_dir())):
        for _, _, files in os.walk(top):
            for name in files:
                if _is_one(name, suffixes):
                    return Path(name).suffix.lower()
    return None


def _is_one(name: str, suffixes: Sequence[str]) -> bool:
    return not name.startswith(".") and name.lower().endswith(tuple(suffixes))


def _article(kind: str) -> str:
    return "an" if kind[0] in "aeiou" else "a"
