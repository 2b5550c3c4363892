"""Mutated ``.pt2`` files: bytes, members of the archive, and values in its JSON."""

import copy
import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fuzz.values import ODD, mutated_bytes, places
from seenn_convert.frontend.load import read_model


def trials(seed: int) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Return an endless iterator over mutations of a small exported network."""
    random_ = random.Random(seed)
    while True:
        one = random.Random(random_.getrandbits(64))
        kind = one.choice((_bytes, _member, _value, _value))
        yield kind(one)


def _bytes(random_: random.Random) -> tuple[str, Callable[[Path], None]]:
    return "bytes of the file", lambda folder: _read(folder, mutated_bytes(exported(), random_))


def _member(random_: random.Random) -> tuple[str, Callable[[Path], None]]:
    members = _members()
    name = random_.choice(sorted(members))
    what = random_.choice(("left out", "of mutated bytes", "empty", "with the content of another"))
    if what == "left out":
        del members[name]
    elif what == "empty":
        members[name] = b""
    elif what == "of mutated bytes":
        members[name] = mutated_bytes(members[name], random_)
    else:
        members[name] = members[random_.choice(sorted(members))]
    return f"{name} {what}", lambda folder: _read(folder, _packed(members))


def _value(random_: random.Random) -> tuple[str, Callable[[Path], None]]:
    members = _members()
    documents = [name for name in sorted(members) if members[name][:1] == b"{"]
    name = random_.choice(documents)
    document = json.loads(members[name])
    place = random_.choice(places(document))
    value = copy.deepcopy(random_.choice(ODD))
    holder: Any = document
    for key in place[:-1]:
        holder = holder[key]
    if random_.random() < 0.2:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    members[name] = json.dumps(document).encode()
    shown = ".".join(map(str, place))
    return f"{name}: {shown} = {value!r}"[:200], lambda folder: _read(folder, _packed(members))


def _read(folder: Path, content: bytes) -> None:
    path = folder / "model.pt2"
    path.write_bytes(content)
    source = read_model(path)
    source.program(torch.zeros(2, *source.program.input_shape, dtype=source.program.input_dtype))


@cache
def exported() -> bytes:
    """Return the file of a small network."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)).eval()
    buffer = io.BytesIO()
    batch = torch.export.Dim("batch")
    torch.export.save(torch.export.export(net, (torch.zeros(2, 1, 6, 6),), dynamic_shapes=({0: batch},)), buffer)
    return buffer.getvalue()


def _members() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(exported())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _packed(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()
