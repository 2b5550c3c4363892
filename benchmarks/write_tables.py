"""Paste the tables in ``benchmarks/results`` into README.md, between its markers: no figure is typed by hand."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

CAPTIONS = {
    "sample": "The shipped sample: 1,000 calibration and 2,000 test images of Fashion-MNIST.",
    "cifar10": "ResNet-20 and VGG-9 on CIFAR-10, 1,000 training images to calibrate, 5,000 test images.",
    "exits": "Ways to stop early: points lost against all 16 timesteps at some average timesteps, on the same images.",
    "policy": "Exit rules at the most timesteps on average they may take; milliseconds an image, the head included.",
    "few_timesteps": "Kinds of neurons and calibrations, on the same images (the sample: 2,000 test images).",
    "validity": "Certificates of exits on CIFAR-10: how often they are broken, in 1,000 draws of calibration images.",
    "conversion_time": "How long a conversion takes, nothing beside it.",
    "zoo": "Architectures of torchvision and timm, random weights, each calibrated on its own two images.",
}  # fmt: skip


def main() -> None:
    """Rewrite the README's section."""
    readme = ROOT / "README.md"
    before, rest = readme.read_text().split(BEGIN)
    after = rest.split(END)[1]
    results = ROOT / "benchmarks" / "results"
    paths = [path for name in CAPTIONS if (path := results / f"{name}.md").exists()]
    tables = [f"{CAPTIONS[path.stem]}\n\n{path.read_text().strip()}" for path in paths]
    readme.write_text(f"{before}{BEGIN}\n" + "\n\n".join(tables) + f"\n{END}{after}")


if __name__ == "__main__":
    main()
