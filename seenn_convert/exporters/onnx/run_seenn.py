"""Run an exported spiking network with early exit; needs numpy and onnxruntime, and nothing else.

As a script: ``python run_seenn.py IMAGES.npz`` prints a line per image. As a module: ``Network(folder)(images)``.
Images are preprocessed, ``(N, *shape)`` in single precision; pixels of 0 to 255 are normalised if no resizing is due.
"""

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime

Array = np.ndarray[Any, Any]


class Answers(NamedTuple):
    """What came out, in the order of the images."""

    predictions: Array
    logits: Array
    exit_step: Array
    score: Array
    confidence: Array


class Network:
    """A network in the folder of an export; calls share no state, so threads may share the network."""

    def __init__(self, folder: str | Path = Path(__file__).parent, threads: int = 0) -> None:
        folder, options = Path(folder), onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.facts = json.loads((folder / "seenn.json").read_text(encoding="utf-8"))
        parts = ("stem", "step", "policy")[: 2 if self.facts["plan_inputs"] is None else 3]
        providers = ["CPUExecutionProvider"]
        files = {part: str(folder / f"{part}.onnx") for part in parts}
        self.sessions = {p: onnxruntime.InferenceSession(f, options, providers=providers) for p, f in files.items()}
        self.inputs = {part: [one.name for one in session.get_inputs()] for part, session in self.sessions.items()}
        stored = dict(np.load(folder / "starts.npz")) if (folder / "starts.npz").exists() else {}
        self.starts = [
            np.broadcast_to(stored.get(state["name"], np.float32(state["start"] or 0)), state["shape"])
            for state in self.facts["states"]
        ]

    def run(self, part: str, *values: Array) -> list[Array]:
        """Run one of the files."""
        results: list[Array] = self.sessions[part].run(None, dict(zip(self.inputs[part], values, strict=True)))
        return results

    def __call__(self, images: Array, capacity: int = 64) -> Answers:
        """Classify images; ``capacity`` of them run together, and one that leaves gives its row to the next."""
        images, timesteps, policy = self.prepared(images), self.facts["timesteps"], self.facts["policy"]
        thresholds, found = policy.get("thresholds"), list[tuple[Array, ...]]()
        rows = min(capacity, len(images))
        if rows == 0:
            raise ValueError("there are no images")
        index, taken = np.arange(rows), rows  # the image in each row; how many have been taken so far
        drives, planned = self.fresh(images[:rows])
        state = [np.repeat(start[None], rows, axis=0) for start in self.starts]
        t = np.zeros(rows, np.int64)
        while len(index):
            logits, score, *state = self.run("step", *drives, *state)
            t += 1
            leaving = t >= np.minimum(planned, policy.get("timesteps", timesteps))
            if thresholds:
                leaving |= score > np.array(thresholds, score.dtype)[np.minimum(t, len(thresholds)) - 1]
            if not leaving.any():
                continue
            found.append((index[leaving], logits[leaving], t[leaving], score[leaving]))
            free = np.flatnonzero(leaving)
            fresh = np.arange(taken, min(taken + len(free), len(images)))
            slots, taken = free[: len(fresh)], taken + len(fresh)
            if len(fresh):
                new, plans = self.fresh(images[fresh])
                for old, one in zip([*drives, *state], [*new, *self.starts], strict=True):
                    old[slots] = one
                index[slots], t[slots], planned[slots] = fresh, 0, plans
            stay = np.delete(np.arange(len(index)), free[len(fresh) :])
            if len(stay) < len(index):
                index, t, planned = index[stay], t[stay], planned[stay]
                drives, state = [one[stay] for one in drives], [one[stay] for one in state]
        order = np.argsort(np.concatenate([part[0] for part in found]))
        logits, exit_step, score = (np.concatenate(parts)[order] for parts in list(zip(*found, strict=True))[1:])
        scaled = logits / np.array(self.facts["temperatures"], logits.dtype)[exit_step - 1][:, None]
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        confidence = powers.max(axis=1) / powers.sum(axis=1)
        return Answers(logits.argmax(axis=1), logits, exit_step, score, confidence)

    def fresh(self, images: Array) -> tuple[list[Array], Array]:
        """Return the drives of images, and the timesteps that the policy head plans for each."""
        drives = self.run("stem", images)
        if not str(self.facts["policy"]["policy"]).startswith("planned"):
            return drives, np.full(len(images), self.facts["timesteps"])
        plan = self.run("policy", *((images,) if self.facts["plan_inputs"] == "image" else drives))[0]
        return drives, plan.argmax(axis=1) + 1

    def prepared(self, images: Array) -> Array:
        """Return images as the network takes them."""
        images, steps = np.asarray(images), self.facts["preprocessing"]
        if images.dtype == np.uint8:
            if steps["resize"] or steps["crop"] or steps["layout"] != "channels_first" or images.ndim != 4:
                raise ValueError("pixels (N, H, W, C) are only normalised here; preprocess them as seenn.json says")
            if images.shape[1:] != tuple(self.facts["input"]["shape"]):
                images = images.transpose(0, 3, 1, 2)
            mean, std = (np.array(steps[name] or [value], np.float32) for name, value in (("mean", 0), ("std", 1)))
            images = (images.astype(np.float32) / 255 - mean[:, None, None]) / std[:, None, None]
        if images.shape[1:] != tuple(self.facts["input"]["shape"]):
            raise ValueError(f"images are (N, {self.facts['input']['shape']}), got {images.shape}")
        return np.ascontiguousarray(images, np.float32)


def main() -> None:
    """Classify the images of a file and print what each is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", help=".npy, or .npz: its array x, or its first array")
    parser.add_argument("--batch-size", dest="capacity", type=int, default=64, help="images that run together [64]")
    given = parser.parse_args()
    try:
        loaded = np.load(given.images)
    except (OSError, ValueError) as error:
        parser.error(f"{given.images} cannot be read: {error}")
    images = loaded if isinstance(loaded, np.ndarray) else loaded["x" if "x" in loaded else loaded.files[0]]
    network = Network()
    names = network.facts["class_names"]
    answers = network(images, given.capacity)
    print("image,label,class,confidence,timestep")
    shown = zip(answers.predictions, answers.confidence, answers.exit_step, strict=True)
    for number, (label, sure, step) in enumerate(shown):
        print(f"{number},{label},{names[label] if names else ''},{sure:.6f},{step}")


if __name__ == "__main__":
    main()
