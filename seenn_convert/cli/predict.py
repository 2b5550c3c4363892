"""``seenn-convert predict``: what a converted network says about image files or other samples."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seenn_convert.choices import Backend
from seenn_convert.cli.class_names import class_names_option
from seenn_convert.cli.console import columns_text, progress_bars, warning_lines
from seenn_convert.cli.help import GroupedCommand
from seenn_convert.cli.options import backend_option, batch_size_option, device_option
from seenn_convert.errors import InputError

if TYPE_CHECKING:
    from seenn_convert.workflows.predict import Prediction

FORMATS = ("table", "csv", "jsonl")


@click.command(cls=GroupedCommand)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.argument("images", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Output format [by the extension of --output].")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write to, instead of printing.")
@class_names_option
@batch_size_option(128)
@device_option
@backend_option
def predict(
    artifact: Path,
    images: tuple[Path, ...],
    form: str | None,
    output: Path | None,
    class_names: tuple[str, ...] | None,
    batch_size: int,
    device: str,
    backend: Backend | None,
) -> None:
    """Classify IMAGES with the converted network ARTIFACT and its own preprocessing.

    ARTIFACT may be a folder that 'export' wrote, too; it then runs in the runtime of its target.

    IMAGES are files, or folders that are searched at any depth; or one .npz or IDX file, whose samples are named by
    their number. Nothing is written unless all could be read.
    """
    from seenn_convert.artifact.files import check_writable, write_text, written_to
    from seenn_convert.measure.data_cautions import byte_cautions
    from seenn_convert.runtime.memory import keep_pages
    from seenn_convert.workflows import predict as prediction
    from seenn_convert.workflows.runnable import runnable

    keep_pages()
    if output is not None:
        form = form or _by_ending(output)
        check_writable(output.parent, (output.name,))
    with progress_bars() as progress:
        network = runnable(artifact, backend, device, progress).with_classes(class_names)
        data = prediction.opened(images, network, progress)
        found = prediction.predict(network, data, batch_size, device, progress)
    for line in (*network.notes, *warning_lines(tuple(byte_cautions(data)))):
        click.echo(line, err=True)
    text = _text(found, form or "table", network.timesteps)
    if output is None:
        click.echo(text, nl=False)
    else:
        with written_to(output):
            write_text(output, text)


def _by_ending(output: Path) -> str:
    """Return the format that the name of the output says; .txt is a table."""
    ending = output.suffix.lower().removeprefix(".")
    known = {"": "table", "txt": "table", **{form: form for form in FORMATS}}
    if ending not in known:
        raise InputError(f"{output}: the extension says no format; use .csv, .jsonl or .txt, or give --format")
    return known[ending]


def _text(found: Sequence["Prediction"], form: str, timesteps: int) -> str:
    rows = [
        {
            "path": one.path,
            "label": one.label,
            "class": one.class_name,
            "confidence": round(one.confidence, 6),
            "timestep": one.timestep,
        }
        for one in found
    ]
    if form == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if form == "csv":
        target = io.StringIO()
        writer = csv.DictWriter(target, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return target.getvalue()
    cells = [
        (_printable(one.path), _printable(one.class_name or str(one.label)), f"{one.confidence:.1%}", str(one.timestep))
        for one in found
    ]
    average = sum(one.timestep for one in found) / len(found)
    end = f"{len(found)} image{'s' * (len(found) > 1)}, {average:.2f} of at most {timesteps} timesteps on average"
    return f"{columns_text([('image', 'class', 'confidence', 'timestep'), *cells])}\n\n{end}\n"


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
