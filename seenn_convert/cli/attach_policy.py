"""``seenn-convert attach-policy``: a policy head that chooses the number of timesteps before the run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seenn_convert.choices import GRADIENT_NAMES, PLANNING_NAMES, READS_NAMES, REWARD_NAMES, RIGHT_NAMES
from seenn_convert.cli.class_names import class_names_option
from seenn_convert.cli.console import policy_text, progress_bars, say_json
from seenn_convert.cli.help import GroupedCommand
from seenn_convert.cli.options import NUMBERS, SEED, batch_size_option, device_option, existing, json_option

if TYPE_CHECKING:
    from seenn_convert.workflows.add_planner.options import PolicyOptions

SAME_NAMES = ("policy", "reads", "right", "epochs", "gradient", "batch_size", "device", "seed")


@click.command("attach-policy", cls=GroupedCommand)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), required=True,
              help="Sample images, never the test set; a few thousand.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for the result [ARTIFACT itself].")
@click.option("--policy", type=click.Choice(PLANNING_NAMES), default="planned+confidence",
              show_default=True, help="Exit as planned, or also earlier if the exit score is high.")  # fmt: skip
@click.option("--reads", type=click.Choice(READS_NAMES), default="drive", show_default=True,
              help="Input of the head: the output of the stem, or the image.")  # fmt: skip
@click.option("--reward", type=click.Choice(REWARD_NAMES), default="price", show_default=True,
              help="Reward: a right answer minus a price per timestep, or that of the SEENN paper.")  # fmt: skip
@click.option("--price", type=NUMBERS, help="Prices per timestep to choose from, for --reward price [a sweep].")
@click.option("--beta", type=NUMBERS, help="Costs of a wrong answer to choose from, for --reward paper [a sweep].")
@click.option("--right", type=click.Choice(RIGHT_NAMES), default="worth", show_default=True,
              help="What counts as right: the ANN's probability, the labels, or the ANN's prediction.")  # fmt: skip
@click.option("--gradient", type=click.Choice(GRADIENT_NAMES), default="exact", show_default=True,
              help="Gradient of the expected reward, or of sampled exits (REINFORCE).")  # fmt: skip
@click.option("--epochs", type=click.IntRange(min=1), default=15, show_default=True, help="Training epochs.")
@click.option("--target-drop", type=float, help="Accuracy to lose at most, in percentage points [as for ARTIFACT].")
@click.option("--target-timesteps", type=float, help="Average number of timesteps to aim for [as for ARTIFACT].")
@class_names_option
@batch_size_option(128)
@device_option
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed for split, weights and training.")
@json_option
def attach_policy(
    artifact: Path, data: Path, output: Path | None, class_names: tuple[str, ...] | None, as_json: bool, **given: Any
) -> None:
    """Attach a policy head to ARTIFACT; it chooses the timesteps of each image before the run (SEENN-II).

    The network does not change. Its predictions at every timestep are computed once, and the head is trained on them.
    """
    options = _options(given)
    from seenn_convert.artifact.artifact import MANIFEST, load_artifact
    from seenn_convert.artifact.files import check_replaceable
    from seenn_convert.data import open_dataset
    from seenn_convert.runtime.memory import keep_pages
    from seenn_convert.workflows.add_planner import run as planning

    keep_pages()
    output = output or artifact
    old = load_artifact(artifact).with_classes(class_names)
    check_replaceable(output, MANIFEST)
    dataset = open_dataset(existing(data), old.preprocessing, input_shape=old.snn.input_shape)
    with progress_bars() as progress:
        fresh = planning.attach_policy(old, dataset, options, progress)
        fresh.save(output)
    say_json(fresh.report) if as_json else click.echo(f"{policy_text(fresh.report)}\nwrote {output}")


def _options(given: dict[str, Any]) -> "PolicyOptions":
    """Return the options that the command line says."""
    for option, reward in (("beta", "paper"), ("price", "price")):
        if given[option] is not None and given["reward"] != reward:
            raise click.UsageError(f"--{option} has no effect without --reward {reward}")
    drop, timesteps = given["target_drop"], given["target_timesteps"]
    if drop is not None and timesteps is not None:
        raise click.UsageError("give --target-drop or --target-timesteps, not both")
    from seenn_convert.exits.thresholds import ExitTarget
    from seenn_convert.training.planner.rewards import BETAS, PRICES, PaperReward, PricedReward
    from seenn_convert.workflows.add_planner.options import PolicyOptions

    paper = given["reward"] == "paper"
    return PolicyOptions(
        target=None if drop is None and timesteps is None else ExitTarget(drop, timesteps),
        reward=PaperReward(given["beta"] or BETAS) if paper else PricedReward(given["price"] or PRICES),
        **{name: given[name] for name in SAME_NAMES},
    )
