"""``seenn-convert finetune``: a converted network trained through time, so that it is right earlier."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from seenn_convert.choices import OBJECTIVE_NAMES, PRECISION_NAMES
from seenn_convert.cli.class_names import class_names_option
from seenn_convert.cli.console import conversion_text, progress_bars, say_json
from seenn_convert.cli.help import GroupedCommand
from seenn_convert.cli.options import SEED, device_option, existing, json_option

STATE = "training.pt"
"""Ending of the file beside the result in which a training is kept on its way."""


@click.command(cls=GroupedCommand)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), required=True,
              help="Images to train on, never the test set; the more the better.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder for the result.")
@click.option("--teacher", help="ANN to follow: .onnx, .pt2 or package.module:factory [the artifact's own].")
@click.option("-T", "--timesteps", type=click.IntRange(min=1), help="Longest run of the result [that of ARTIFACT].")
@click.option("--minutes", type=float, default=30.0, show_default=True, help="About how long to train.")
@click.option("--epochs", type=float, help="How often each image serves, instead of a time.")
@click.option("--objective", type=click.Choice(OBJECTIVE_NAMES), default="prefixes", show_default=True,
              help="Follow the ANN's predictions at every prefix of the run, labels, or both.")  # fmt: skip
@click.option("--quantised-share", type=click.FloatRange(0, 1), default=0.0, show_default=True,
              help="Share of the time that trains the ANN with quantised activations (QCFS), before the rest trains "
                   "through time; 0 or 1 for one of them alone.")  # fmt: skip
@click.option("--leak", is_flag=True, help="Let binary neurons leak (LIF), and learn how much.")
@click.option("--spike-penalty", type=click.FloatRange(min=0), default=0.0, show_default=True,
              help="How much the operations that spikes cause count in the loss.")  # fmt: skip
@click.option("--labels/--no-labels", "use_labels", default=True, show_default=True,
              help="Read labels if there are any; else the ANN's predictions stand in for them.")  # fmt: skip
@click.option("--exit-data", type=click.Path(path_type=Path),
              help="Images that neither the ANN nor this training has seen; exits and certificate are fitted to "
                   "them.")  # fmt: skip
@click.option("--held-out", type=click.IntRange(min=2), default=2000, show_default=True,
              help="Images of --data that train nothing but fit exits, if there is no --exit-data.")  # fmt: skip
@click.option("--learning-rate", type=float, default=1e-2, show_default=True,
              help="The largest one, relative to the size of what is learned.")  # fmt: skip
@click.option("--batch-size", type=click.IntRange(min=1), default=128, show_default=True, help="Images in an update.")
@click.option("--mirror/--no-mirror", default=True, show_default=True, help="Mirror half of the pictures.")
@click.option("--precision", type=click.Choice(PRECISION_NAMES), default="float32", show_default=True,
              help="Numbers of convolutions and linear layers in training.")  # fmt: skip
@click.option("--recompute", is_flag=True, help="Take less memory and more time: it does not grow with T then.")
@class_names_option
@device_option
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed for order, moves and held-out images.")
@json_option
def finetune(
    artifact: Path,
    data: Path,
    output: Path,
    class_names: tuple[str, ...] | None,
    teacher: str | None,
    exit_data: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Train the network of ARTIFACT through time, so that it is right at earlier timesteps.

    Training starts from the converted network and follows the ANN. If it is interrupted or killed, the same command
    goes on where it stopped.
    """
    from seenn_convert.artifact.artifact import MANIFEST, load_artifact
    from seenn_convert.artifact.files import check_replaceable
    from seenn_convert.data import open_dataset
    from seenn_convert.runtime.memory import keep_pages
    from seenn_convert.workflows.finetune import run as training
    from seenn_convert.workflows.finetune.options import FinetuneOptions

    keep_pages()
    options = FinetuneOptions(**given)
    old = load_artifact(artifact).with_classes(class_names)
    check_replaceable(output, MANIFEST)
    if exit_data is not None:
        existing(exit_data)
    dataset = open_dataset(existing(data), old.preprocessing, input_shape=old.snn.input_shape)
    place = output.resolve() if output.name in ("", "..") else output  # such as "."
    state = place.with_name(f"{place.name}.{STATE}")
    with progress_bars() as progress, _saying_how_to_go_on(state):
        fresh = training.finetune(old, dataset, options, progress, teacher=teacher, exit_data=exit_data, state=state)
        fresh.save(output)
        state.unlink(missing_ok=True)
    say_json(fresh.report) if as_json else click.echo(f"{conversion_text(fresh.report)}\nwrote {output}")


@contextmanager
def _saying_how_to_go_on(state: Path) -> Iterator[None]:
    """Say, if the training is interrupted, that the file ``state`` keeps it."""
    try:
        yield
    except KeyboardInterrupt:
        if state.exists():
            click.echo(f"the training is kept in {state}; the same command continues it", err=True)
        raise
