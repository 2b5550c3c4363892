"""Keep a training on its way in a file, whole or not at all, so that it can go on after any interruption."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch

from seenn_convert.errors import InputError

FORMAT = 2
"""What a state holds: one of another format is refused."""


def save_state(path: Path, of: str, state: Mapping[str, Any]) -> None:
    """Write ``state`` to ``path``; ``of`` says which training it is of. A crash leaves what was there before.

    Raises:
        OSError: It cannot be written there.
    """
    fresh = path.with_name(f"{path.name}.tmp")  # one name: what a crash leaves is written over
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with fresh.open("wb") as file:
            write_state({"of": of, "format": FORMAT, **state}, file)
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


class _Told:
    """A file that remembers why it could not be written: torch tells of it as a RuntimeError of its own."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self.file.flush()


def write_state(state: Mapping[str, Any], file: IO[bytes]) -> None:
    """Write ``state`` to an open file.

    Raises:
        OSError: It cannot be written there.
    """
    told = _Told(file)
    try:
        torch.save(state, told)  # type: ignore[arg-type]
    except RuntimeError as error:
        raise told.error or error from error


def saved_state(path: Path, of: str, device: str = "cpu") -> dict[str, Any] | None:
    """Return what was saved in ``path``, with its tensors on ``device``; None if there is no such file.

    Raises:
        InputError: The file is of another training, or none.
    """
    if not path.exists():
        return None
    if not path.is_file():
        raise InputError(f"{path}: this is not a file; name a file to keep the training in (state)")
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        told, form = state.pop("of"), state.pop("format", 0)
    except Exception as error:  # each way in which a file can be broken has an error of its own
        raise InputError(
            f"{path}: this file holds no training on its way ({type(error).__name__}); remove it"
        ) from error
    if form != FORMAT:
        raise InputError(f"{path}: another version of this package kept this training; remove it to start anew")
    if told != of:
        raise InputError(
            f"{path}: this is the state of another training (other images, options or network); remove it to start anew"
        )
    return state
