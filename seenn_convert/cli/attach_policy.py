"""``seenn-convert attach-policy``: a policy head that chooses the number of timesteps before the run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seenn_convert.cli.console import policy_text, progress_bars, say_json
from seenn_convert.cli.options import SEED, Numbers, existing

if TYPE_CHECKING:
    from seenn_convert.workflows.add_planner.options import PolicyOptions


@click.command("attach-policy")
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), required=True,
              help="Sample images, never the test set; some thousands.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for the result [ARTIFACT itself].")
@click.option("--policy", type=click.Choice(["planned", "planned+confidence"]), default="planned+confidence",
              show_default=True, help="Leave as planned, or also earlier where the score is high.")  # fmt: skip
@click.option("--reads", type=click.Choice(["drive", "image"]), default="drive", show_default=True,
              help="What the head is given: what the stem computed, or the image.")  # fmt: skip
@click.option("--reward", type=click.Choice(["price", "paper"]), default="price", show_default=True,
              help="A right answer less a price for each timestep, or the reward of the SEENN paper.")  # fmt: skip
@click.option("--price", type=Numbers(), help="For --reward price: prices of a timestep to choose from [swept].")
@click.option("--beta", type=Numbers(), help="For --reward paper: what a wrong answer costs, to choose from [swept].")
@click.option("--right", type=click.Choice(["worth", "labels", "agreement"]), default="worth", show_default=True,
              help="What counts as right: the ANN's probability, the labels, or the ANN's answer.")  # fmt: skip
@click.option("--gradient", type=click.Choice(["exact", "sampled"]), default="exact", show_default=True,
              help="Of the expected reward, or of drawn exits (REINFORCE).")  # fmt: skip
@click.option("--epochs", type=click.IntRange(min=1), default=15, show_default=True, help="Passes over the images.")
@click.option("--target-drop", type=float, help="Points of accuracy that may be lost [as ARTIFACT was made].")
@click.option("--target-timesteps", type=float, help="Average timesteps to spend [as ARTIFACT was made].")
@click.option("--batch-size", type=click.IntRange(min=1), default=128, show_default=True, help="Rows together.")
@click.option("--device", default="cpu", show_default=True, help="Where to run: cpu, cuda, cuda:1.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the split, the weights and the training.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def attach_policy(artifact: Path, data: Path, output: Path | None, as_json: bool, **given: Any) -> None:
    """Attach a policy head to ARTIFACT: it chooses each image's timesteps before the run (SEENN-II).

    The network stays as it is. Its answers at every timestep are computed once, and the head is trained from them.
    """
    options = _options(given)
    from seenn_convert.artifact.artifact import MANIFEST, load_artifact
    from seenn_convert.artifact.files import check_replaceable
    from seenn_convert.data import open_dataset
    from seenn_convert.runtime.memory import keep_pages
    from seenn_convert.workflows.add_planner import run as planning

    keep_pages()
    output = output or artifact
    old = load_artifact(artifact)
    check_replaceable(output, MANIFEST)
    dataset = open_dataset(existing(data), old.preprocessing, old.snn.input_shape[0])
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
        policy=given["policy"],
        target=None if drop is None and timesteps is None else ExitTarget(drop, timesteps),
        reads=given["reads"],
        reward=PaperReward(given["beta"] or BETAS) if paper else PricedReward(given["price"] or PRICES),
        right=given["right"],
        epochs=given["epochs"],
        gradient=given["gradient"],
        batch_size=given["batch_size"],
        device=given["device"],
        seed=given["seed"],
    )
