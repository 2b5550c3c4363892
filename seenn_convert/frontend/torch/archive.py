"""A ``.pt2`` file is an archive: what PyTorch would unpickle or run is refused or left out before PyTorch reads it.

``torch.export.load`` unpickles weights, constants and example inputs. So it is given a copy in memory that holds what
was looked at here and nothing else; two readers of archives then cannot see two different files.
"""

import io
import json
import math
import re
import zipfile
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import torch

from seenn_convert.errors import InputError
from seenn_convert.frontend.torch.serialized import checked_document

MOST_ENTRIES, MOST_UNPACKED = 100_000, 64 * 2**20
"""Entries of an archive; bytes that its compressed entries may take beyond the size of the file."""

_PICKLED = "it holds weights that are pickled, which can run code; export the model with plain tensors as weights"
_AS_IS = re.compile(
    r"data/(weights/weight|constants/tensor)_\d+|archive_format|archive_version|byteorder|version|\.data/\w+"
)
_PICKLES = re.compile(r"data/(weights|constants)/model\.pt|serialized_(state_dict|constants)\.(pt|json)")
_CONFIG = re.compile(r"data/(weights|constants)/model_(weights|constants)_config\.json")
_DOCUMENTS = ("models/model.json", "serialized_exported_program.json")
_EXAMPLES = ("data/sample_inputs/model.pt", "serialized_example_inputs.pt")


def plain_archive(path: Path, own: Collection[str] = ()) -> io.BytesIO:
    """Return a copy of a ``.pt2`` file, in memory, that PyTorch reads without running anything of the file.

    Example inputs, compiled code and extra files are left out.

    Args:
        path: Written by ``torch.export.save``, by any version since 2.7.
        own: Names of operators of the user's own, as ``"mylib::swish"``.

    Raises:
        InputError: It holds pickled objects, names or sizes that would be run as code, or more than its size.
        UnsupportedOperatorError: It calls operators of other libraries.
        Exception: It is no such archive.
    """
    copy = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w") as plain:
        _check_sizes(archive, path.stat().st_size)
        root = _root(archive)
        entries = {info.filename.removeprefix(root): info for info in archive.infolist()}
        for name, info in entries.items():
            content = _content(name, partial(archive.read, info), entries, own)
            if content is not None:
                plain.writestr(zipfile.ZipInfo(root + name), content)
    copy.seek(0)
    return copy


def _check_sizes(archive: zipfile.ZipFile, size: int) -> None:
    entries = archive.infolist()
    names = {info.filename for info in entries}
    if len(entries) > MOST_ENTRIES or len(names) < len(entries):
        raise InputError(f"it holds more than {MOST_ENTRIES:,} entries, or two of one name")
    if sum(info.file_size for info in entries) > size + MOST_UNPACKED:
        raise InputError(f"it unpacks to {sum(info.file_size for info in entries):,} bytes, far more than it takes")


def _root(archive: zipfile.ZipFile) -> str:
    """Return the folder that holds all entries, with its slash; versions before 2.8 had none."""
    names = archive.namelist()
    return "" if _DOCUMENTS[1] in names else names[0].partition("/")[0] + "/"


def _content(
    name: str, read: Callable[[], bytes], entries: dict[str, zipfile.ZipInfo], own: Collection[str]
) -> bytes | None:
    """Return what to write for an entry, None where it is left out."""
    if _AS_IS.fullmatch(name):
        return read()
    if name in _EXAMPLES:
        return b""
    if name in _DOCUMENTS:
        return json.dumps(checked_document(json.loads(read()), own)).encode()
    if _CONFIG.fullmatch(name):
        return json.dumps(_checked_config(json.loads(read()), name.rpartition("/")[0], entries)).encode()
    if _PICKLES.fullmatch(name):
        return _checked_pickle(read())
    return None


def _checked_pickle(content: bytes) -> bytes:
    """Return the pickled state of an older file if it holds tensors alone."""
    try:
        if content:
            torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    except Exception as error:  # whatever the unpickler refuses
        raise InputError(_PICKLED) from error
    return content


def _checked_config(config: Any, folder: str, entries: dict[str, zipfile.ZipInfo]) -> Any:
    """Return the table of weights if each is a plain tensor whose numbers are in the archive."""
    for name, payload in config["config"].items():
        entry = f"{folder}/{payload['path_name']}"
        if payload["use_pickle"] is not False or not _AS_IS.fullmatch(entry):
            raise InputError(_PICKLED)
        if re.search(r'["\'\\\x00-\x1f]', name):
            raise InputError(f"{name[:60]!r} is not a name")
        sizes = [size["as_int"] for size in payload["tensor_meta"]["sizes"]]
        if math.prod(sizes) > 0 and entries[entry].file_size == 0:
            raise InputError(f"it lacks the numbers of {name}")
    return config
