"""The backend ``auto`` starts with PyTorch as it is, measures others once the work is worth it, and says why."""

from collections.abc import Callable, Iterable

import pytest
import small_artifacts as small
import torch
from torch import Tensor

from seenn_convert.errors import ExportError
from seenn_convert.runtime.backends import auto
from seenn_convert.runtime.backends.auto import AutoBackend, run_seconds, step_seconds
from seenn_convert.runtime.backends.backend import Backend, StepBackend
from seenn_convert.runtime.backends.compiled import CompiledBackend
from seenn_convert.runtime.early_exit import ExitTrace

IMAGES = small.draw(40, 5)[0]


class Named(StepBackend):
    """A backend that counts its runs."""

    def __init__(self, name: str) -> None:
        super().__init__(small.model(), name)
        object.__setattr__(self, "runs", [])

    def run(
        self, batches: Iterable[Tensor], rows: int, images: int, progress: Callable[[int], None] | None = None
    ) -> ExitTrace:
        self.runs.append(images)  # type: ignore[attr-defined]
        return super().run(batches, rows, images, progress)


@pytest.fixture
def speeds(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Let backends take the seconds that a test says, per image and timestep or per run of one."""
    seconds: dict[str, float] = {}
    monkeypatch.setattr(AutoBackend, "_seconds", lambda self, backend, image, alone: seconds[backend.name])
    return seconds


def test_little_work_is_left_to_pytorch(speeds: dict[str, float]) -> None:
    """40 images x 8 timesteps x 10 ms are 3.2 s: less than preparing another backend is worth."""
    speeds |= {"eager": 0.01, "fast": 0.001}
    eager, fast = Named("eager"), Named("fast")
    backend = AutoBackend(eager, {"fast": lambda: fast}, 8)
    trace = backend.run([IMAGES], 20, 40)

    assert len(trace) == 40 and eager.runs == [40]  # type: ignore[attr-defined]
    assert backend.said == ["backend eager: the work takes 3.2 s at most, less than preparing another backend"]


def test_work_adds_up_over_calls_and_the_fastest_is_taken(speeds: dict[str, float]) -> None:
    speeds |= {"eager": 0.01, "fast": 0.001, "slow": 0.02}
    eager, fast = Named("eager"), Named("fast")
    backend = AutoBackend(eager, {"slow": lambda: Named("slow"), "fast": lambda: fast}, 8)
    for _ in range(3):
        backend.run([IMAGES[:25], IMAGES[25:]], 20, 40)

    assert eager.runs == [40] and fast.runs == [40, 40]  # type: ignore[attr-defined]
    assert backend.said[1:] == ["backend fast: 1 ms per image and timestep (eager 10; slow 20)"]


def test_single_images_are_judged_apart(speeds: dict[str, float]) -> None:
    """One image at a time: the work is that of whole runs, and the choice for batches is another one."""
    speeds |= {"eager": 6.0, "fast": 1.0}
    fast = Named("fast")
    backend = AutoBackend(Named("eager"), {"fast": lambda: fast}, 8)
    backend.run([IMAGES[:1]], 20, 1)

    assert fast.runs == [1] and list(backend.taken) == [True]  # type: ignore[attr-defined]
    assert backend.said == ["backend fast: 1e+03 ms per image (eager 6e+03)"]


def test_what_cannot_run_or_is_not_compiled_is_left_out(
    speeds: dict[str, float], tmp_path: "pytest.TempPathFactory"
) -> None:
    def refused() -> Backend:
        raise ExportError("onnx cannot express 1 node of the network:\n  conv: it is odd")

    compiled = CompiledBackend(small.model(), lambda *_: None, tmp_path)  # type: ignore[arg-type]
    speeds |= {"eager": 0.1, "compiled": 0.01}
    backend = AutoBackend(Named("eager"), {"onnxruntime": refused, "compiled": lambda: compiled}, 8)
    backend.run([IMAGES], 20, 40)

    (said,) = backend.said
    assert said.startswith("backend eager: 100 ms per image and timestep (onnxruntime left out: onnx cannot express 1")
    assert "compiled left out: it was not compiled before" in said


def test_a_great_deal_of_work_is_worth_compiling(
    speeds: dict[str, float], tmp_path: "pytest.TempPathFactory", monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds |= {"eager": 2.0, "compiled": 1.0}
    compiled = CompiledBackend(small.model(), lambda *_: None, tmp_path)  # type: ignore[arg-type]
    monkeypatch.setattr(CompiledBackend, "run", lambda self, *given: StepBackend(small.model()).run(*given))
    backend = AutoBackend(Named("eager"), {"compiled": lambda: compiled}, 8)
    backend.run([IMAGES], 20, 40)

    assert auto.WORTH_COMPILING < 40 * 8 * 2.0 and backend.taken[False] is compiled


def test_no_images_are_no_choice() -> None:
    backend = AutoBackend(StepBackend(small.model()), {}, 8)
    assert len(backend.run([], 20, 0)) == 0 and len(backend.run([IMAGES[:0], IMAGES[:2]], 20, 2)) == 2
    assert isinstance(backend.model(1), type(small.model()))


def test_seconds_are_measured() -> None:
    assert step_seconds(small.model(), torch.cat([IMAGES[:20]]), 2) > 0
    assert run_seconds(StepBackend(small.model()), IMAGES[:1], 2) > 0
