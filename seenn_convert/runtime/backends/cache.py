"""The folder in which compiled networks outlive the process, and what a network is known again by."""

import hashlib
import os
import platform
import sys
from pathlib import Path

import torch

from seenn_convert.errors import InputError

VARIABLE = "SEENN_CONVERT_CACHE"


def cache_folder() -> Path:
    """Return the user's folder for what can be made again; the environment variable ``SEENN_CONVERT_CACHE`` names it.

    Without it, it is ``seenn_convert`` in the folder that the system has for such files.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    home = {"darwin": Path.home() / "Library" / "Caches", "win32": Path(os.environ.get("LOCALAPPDATA", Path.home()))}
    others = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home.get(sys.platform, others) / "seenn_convert"


def made_private(folder: Path) -> Path:
    """Return ``folder``, made for the user alone: what lies in it is loaded as code.

    Raises:
        InputError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be made ({error.strerror}), and compiled networks are kept there; name another folder by "
            f"{VARIABLE}"
        ) from error
    return folder


def key_of(*parts: object) -> str:
    """Return what compiled code is known by: the ``parts`` that it was made from, PyTorch, the machine, its threads."""
    where = torch.__version__, platform.machine(), torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()
    return hashlib.sha256(repr((*parts, *where)).encode()).hexdigest()[:32]
