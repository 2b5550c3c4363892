"""The backend ``onnxruntime`` answers as PyTorch does, one image at a time and many."""

import small_artifacts as small
import torch

import seenn_convert as sc
from seenn_convert.exporters.onnx import backend as onnx_backend
from seenn_convert.exporters.onnx.backend import OnnxBackend
from seenn_convert.runtime.early_exit import run_early_exit

IMAGES = small.draw(40, 5)[0]


def test_answers_and_exits_are_those_of_pytorch() -> None:
    """Many images go step by step, a single one through the loop; both give the same as PyTorch."""
    artifact, seen = small.artifact(), []
    backend = OnnxBackend(artifact)
    ours = run_early_exit(artifact.model(), IMAGES, 16)
    many = backend.run([IMAGES[:15], IMAGES[15:]], 16, 40, seen.append)
    assert torch.equal(ours.exit_step, many.exit_step) and torch.equal(ours.predictions, many.predictions)
    assert sum(seen) == 40 and float((ours.logits - many.logits).abs().max()) < 1e-4

    assert "answers" not in vars(backend)  # the loop is not exported before it is needed
    alone = [backend.run([image[None]], 16, 1, seen.append) for image in IMAGES]
    assert [int(one.exit_step) for one in alone] == ours.exit_step.tolist()
    assert [int(one.predictions) for one in alone] == ours.predictions.tolist()
    assert sum(seen) == 80


def test_rows_do_not_depend_on_the_others() -> None:
    """So no rows are added to few images: the same bits come out for 2 images as for 40."""
    network = OnnxBackend(small.artifact()).model(16)
    many, few = (run_early_exit(network, IMAGES[:count], count, row_floor=1) for count in (40, 2))
    assert torch.equal(many.logits[:2], few.logits) and torch.equal(many.exit_step[:2], few.exit_step)


def test_state_that_a_step_was_given_is_not_written() -> None:
    """Memory is bound, and yet each step writes memory of its own: two runs may go on side by side."""
    network = OnnxBackend(small.artifact()).model(4)
    drives, start = network.drive(IMAGES[:4]), network.initial_state(4)
    before = {name: value.clone() for name, value in start.items()}
    first, second = network.step(drives, start), network.step(drives, start)
    kept = [value.clone() for value in first[2].values()]
    network.step(drives, second[2])
    assert all(torch.equal(start[name], before[name]) for name in start)
    assert all(torch.equal(one, other) for one, other in zip(kept, first[2].values(), strict=True))


def test_predict_runs_what_was_prepared_once() -> None:
    network = sc.runnable(small.artifact(), backend="onnxruntime")
    one, again = (sc.predict(network, IMAGES[:1])[0] for _ in range(2))
    ours = sc.predict(small.artifact(), IMAGES[:1])[0]
    assert one == again and (one.label, one.timestep) == (ours.label, ours.timestep)
    assert isinstance(network.backend, onnx_backend.OnnxBackend) and network.notes == ()
