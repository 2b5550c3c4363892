"""``seenn-convert adopt``: a network that was trained as a spiking one gets exits."""

from pathlib import Path
from typing import Any

import click

from seenn_convert.choices import READOUT_NAMES
from seenn_convert.cli.class_names import class_names_option
from seenn_convert.cli.console import conversion_text, progress_bars, say_json
from seenn_convert.cli.help import GroupedCommand
from seenn_convert.cli.options import (
    SHAPE,
    certify_of,
    existing,
    exit_options,
    make_preprocessing,
    preprocessing_options,
    target_of,
    weights_option,
)


@click.command(cls=GroupedCommand)
@click.argument("network")
@click.option("--calibration-data", "data", type=click.Path(path_type=Path), required=True,
              help="Images that the network was not trained on, never the test set: .npz, a folder of class folders, "
                   "or IDX files. Exits and certificate are fitted to them.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to write the artifact to.")
@weights_option
@click.option("--input-shape", type=SHAPE, help="Shape of one image [from the data].")
@class_names_option
@preprocessing_options
@click.option("-T", "--timesteps", type=click.IntRange(min=1),
              help="Maximum number of timesteps, usually that of the training [4; for recordings, the number of their "
                   "frames].")  # fmt: skip
@click.option("--readout", type=click.Choice(READOUT_NAMES), default="mean", show_default=True,
              help="What the logits are: the mean over the timesteps of what the network returns, the last of it, or "
                   "the last membrane potential of the neurons that it ends in.")  # fmt: skip
@exit_options
def adopt(
    network: str, data: Path, output: Path, weights: Path | None, input_shape: tuple[int, ...] | None,
    class_names: tuple[str, ...] | None, as_json: bool, **given: Any,
) -> None:  # fmt: skip
    """Give early exit to NETWORK, which was trained as a spiking one.

    NETWORK is package.module:factory with --weights: a function that returns a network of SpikingJelly or snnTorch
    layers. It stays as it is; what was read is compared with it, spike by spike.
    """
    from seenn_convert.artifact.artifact import MANIFEST
    from seenn_convert.artifact.files import check_replaceable
    from seenn_convert.runtime.memory import keep_pages
    from seenn_convert.workflows.adopt import run
    from seenn_convert.workflows.adopt.options import AdoptOptions

    keep_pages()
    check_replaceable(output, MANIFEST)
    same = ("timesteps", "readout", "score", "calibration_images", "batch_size", "device", "seed", "precision")
    values = {name: given[name] for name in same if given[name] is not None}
    options = AdoptOptions(**values, target=target_of(given), certify=certify_of(given))
    existing(data)
    with progress_bars() as progress:
        artifact = run.adopt(
            network, data, options, weights, progress,
            class_names=class_names, preprocessing=make_preprocessing(given), input_shape=input_shape,
        )  # fmt: skip
        artifact.save(output)
    say_json(artifact.report) if as_json else click.echo(f"{conversion_text(artifact.report)}\nwrote {output}")
