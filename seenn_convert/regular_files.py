"""Only regular files are read: a pipe, a socket or a device may never end, or wait for ever."""

import stat
from pathlib import Path

from seenn_convert.errors import InputError

_KINDS = {
    stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}  # fmt: skip


def check_regular(path: Path | str) -> None:
    """Raise InputError unless ``path``, or what it links to, is a regular file."""
    try:
        kind = stat.S_IFMT(Path(path).stat().st_mode)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check the path") from error
    except (OSError, ValueError) as error:  # a loop of links, no permission for a folder; a zero byte in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot be read ({reason}); check the path and its permissions") from error
    if kind != stat.S_IFREG:
        remedy = "name a file in it" if kind == stat.S_IFDIR else "save what it gives to a file, and name that"
        raise InputError(f"{path}: is {_KINDS.get(kind, 'no regular file')}, not a file; {remedy}")


def check_file_may_be(path: Path) -> None:
    """Raise InputError where a folder, a pipe or a device stands in the place of a file to write."""
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except (OSError, ValueError):  # nothing there, or nothing that can be looked at: writing will say
        return
    if kind != stat.S_IFREG:
        raise InputError(
            f"{path} is {_KINDS.get(kind, 'no regular file')} where a file is to be written; "
            + ("move it away" if kind == stat.S_IFDIR else "choose another name")
        )
