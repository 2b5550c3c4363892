"""Keep a training on its way in a file, whole or not at all, so that it can go on after any interruption."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from seenn_convert.errors import InputError


def save_state(path: Path, of: str, state: Mapping[str, Any]) -> None:
    """Write ``state`` to ``path``; ``of`` says which training it is of. A crash leaves what was there before.

    Raises:
        OSError: It cannot be written there.
    """
    fresh = path.with_name(f"{path.name}.tmp")  # one name: what a crash leaves is written over
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with fresh.open("wb") as file:  # given a path, torch reports what is wrong as a RuntimeError
            torch.save({"of": of, **state}, file)
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


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
        told = state.pop("of")
    except Exception as error:  # each way in which a file can be broken has an error of its own
        raise InputError(
            f"{path}: this file holds no training on its way ({type(error).__name__}); remove it"
        ) from error
    if told != of:
        raise InputError(
            f"{path}: this is the state of another training (other images, options or network); remove it to start anew"
        )
    return state
