"""Odd command lines: every command with odd words for its options leaves with exit code 0, 1 or 2, and without a traceback."""

import contextlib
import io
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import click
import numpy as np
import small_artifacts as small
from onnx_models import floats, node, write_model
from PIL import Image

from fuzz.values import mutated_bytes
from seenn_convert.cli.main import cli, main

WORDS = (
    "", "0", "1", "2", "4", "-1", "0.5", "1e9", "1e400", "nan", "inf", "-inf", "99999999999999999999", "none", "auto", "0.1,0.1",
    "1e-9,1e-9", "0.5,5e-324", "nan,nan", "0.5,0.5,0.5", "1,8,8", "3,32,32", "0,0", "a,b,c", "b,a", ",", "x" * 300, "é", "--help", "..", "/", "model.onnx", "images.npz", "labelled.npz", "classes.txt", "pipe.npz", "artifact", "signed", "if", "tracking", "cpu", "cuda", "meta",
    "y", "os:getcwd", "json:loads", "nothing:here", "timm:resnet18", "torchvision:x",
)  # fmt: skip
FILES = ("model.onnx", "images.npz", "labelled.npz", "artifact", "classes.txt", "pipe.npz", "pipe.png", "pipe.onnx", "nowhere", "folder", "image.png")
FAST = ("-T", "2", "--calibration", "fast")
GIVEN = {
    "convert": ["model.onnx", "--calibration-data", "labelled.npz", "-o", "out", *FAST],
    "calibrate": ["artifact", "--data", "labelled.npz", "-o", "out", *FAST],
    "attach-policy": ["artifact", "--data", "labelled.npz", "-o", "out", "--epochs", "1"],
    "evaluate": ["artifact", "--data", "labelled.npz"],
    "compare": ["artifact", "--calibration-data", "labelled.npz", "--data", "labelled.npz"],
    "predict": ["artifact", "image.png"],
    "inspect": ["artifact"],
    "demo": ["-o", "out"],
}
"""A command line of each command that works, to which odd things are done."""


def trials(seed: int) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Return an endless iterator over odd command lines."""
    random_ = random.Random(seed)
    while True:
        words = _line(random_)
        yield " ".join(map(repr, words))[:300], lambda folder, words=words: _run(folder, words)  # type: ignore[misc]


def _line(random_: random.Random) -> list[str]:
    """Return a command with one to three odd options, and sometimes another argument."""
    name = random_.choice([name for name in cli.commands if name != "demo"])
    words = list(GIVEN.get(name, []))
    for _ in range(random_.choice((0, 1, 1, 1, 2))):
        option = random_.choice([one for one in cli.commands[name].params if _may_be_odd(one)])
        words.append(random_.choice(option.opts))
        if not option.is_flag:
            known = tuple(option.type.choices) if isinstance(option.type, click.Choice) else ()
            words.append(str(random_.choice((*known, *WORDS))))
    for position, word in enumerate(words):
        if word in FILES and random_.random() < 0.1:
            words[position] = random_.choice(FILES)
    if random_.random() < 0.05:
        words.remove(random_.choice(words))
    return [name, *words]


def _may_be_odd(option: click.Parameter) -> bool:
    """Return whether an option may be given: one that shows a traceback on request would hide others."""
    return isinstance(option, click.Option) and "--debug" not in option.opts


def _run(folder: Path, words: list[str]) -> None:
    shutil.copytree(_files(), folder, dirs_exist_ok=True)
    for name in ("pipe.npz", "pipe.png", "pipe.onnx"):
        os.mkfifo(folder / name)
    os.chdir(folder)
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            main(words)
            code: object = 0
        except SystemExit as exit_:
            code = exit_.code or 0
    if code not in (0, 1, 2) or "Traceback" in said.getvalue():
        raise AssertionError(f"exit code {code}: {said.getvalue()}")


@cache
def _files() -> Path:
    """Return a folder with an ONNX file, data, an artifact, and class names."""
    folder = Path(tempfile.mkdtemp())
    shape = (1, 8, 8)
    nodes = [
        node("Conv", "x", "w", outputs=("c",)), node("Relu", "c", outputs=("r",)), node("Flatten", "r", outputs=("f",)),
        node("MatMul", "f", "v", outputs=("y",)),
    ]  # fmt: skip
    write_model(folder, nodes, {"w": floats(4, 1, 3, 3), "v": floats(144, 3)}, image=shape)
    pixels, labels = small.draw(120, 1)
    np.savez(folder / "images.npz", x=pixels.numpy())
    np.savez(folder / "labelled.npz", x=pixels.numpy(), y=labels.numpy())
    small.artifact().save(folder / "artifact")
    (folder / "classes.txt").write_bytes(mutated_bytes(b"zero\none\ntwo\n", random.Random(0)))
    (folder / "folder").mkdir()
    Image.new("L", (8, 8), 77).save(folder / "image.png")
    return folder
