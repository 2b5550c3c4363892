"""Compile one graph for one shape, once: what is compiled is kept in a folder and loaded by later processes."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, fx

from seenn_convert.errors import InputError, reason_of
from seenn_convert.runtime.backends.cache import key_of, made_private

Run = Callable[..., tuple[Tensor, ...]]
DONE = "compiled"
"""The empty file that says that all of a graph is there; a folder gets its name once it is complete."""


class CompiledGraph:
    """One graph, traced for the shapes of ``inputs``, and the folder that its compiled code lies in, or will.

    Weights are handed to the compiled code at each call, so networks of one form share it.

    Raises:
        InputError: PyTorch cannot trace the graph.
    """

    def __init__(self, graph: fx.GraphModule, inputs: Sequence[Tensor], cache: Path) -> None:
        try:
            exported = torch.export.export(graph, tuple(inputs), strict=False)
        except Exception as error:  # whatever a user's own module may provoke
            raise InputError(f"the network cannot be compiled ({reason_of(error)}); use --backend eager") from error
        self.module, self.inputs = exported.graph_module, tuple(inputs)
        tensors = {**exported.constants, **exported.state_dict}
        specs = exported.graph_signature.input_specs
        self.held = tuple(tensors[str(one.target)].detach() for one in specs if one.target is not None)
        shapes = [(tuple(one.shape), one.stride(), one.dtype, one.device.type) for one in (*self.held, *self.inputs)]
        self.folder = cache / key_of(self.module.code, shapes)

    @property
    def is_kept(self) -> bool:
        """Whether an earlier process has compiled it."""
        return (self.folder / DONE).is_file()

    def run(self) -> Run:
        """Return the compiled graph; it takes inputs whose shapes and order in memory are those it was traced for.

        Code that was kept and cannot be loaded, as after a crash, is compiled again.

        Raises:
            InputError: There is no C++ compiler, or the graph cannot be compiled.
        """
        from torch._inductor.standalone_compile import CompiledArtifact

        if not self.is_kept:
            self._compile()
        try:
            compiled = CompiledArtifact.load(path=str(self.folder), format="unpacked")
        except Exception:  # whatever reading damaged files may provoke
            self.discard()
            self._compile()
            compiled = CompiledArtifact.load(path=str(self.folder), format="unpacked")

        def run(*inputs: Tensor) -> tuple[Tensor, ...]:
            return tuple(compiled(*self.held, *inputs))

        return run

    def discard(self) -> None:
        """Remove what was compiled."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _compile(self) -> None:
        from torch._inductor import standalone_compile
        from torch._inductor.runtime.cache_dir_utils import temporary_cache_dir

        check_compiler()
        fresh = Path(tempfile.mkdtemp(prefix="unfinished-", dir=made_private(self.folder.parent)))
        try:
            with temporary_cache_dir(str(fresh)):
                standalone_compile(self.module, [*self.held, *self.inputs], dynamic_shapes="from_example_inputs")
            (fresh / DONE).touch()
            with contextlib.suppress(OSError):  # another process was first
                fresh.rename(self.folder)
        except Exception as error:  # whatever a compiler may provoke
            raise InputError(f"the network cannot be compiled ({reason_of(error)}); use --backend eager") from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def check_compiler() -> None:
    """Raise InputError if this machine has no C++ compiler, or PyTorch is older than what compiles ahead of time."""
    import torch._inductor  # takes a second, which only compiling is to cost

    if not hasattr(torch._inductor, "standalone_compile"):
        raise InputError(f"compiling needs PyTorch 2.8 or newer, this is {torch.__version__}; use --backend eager")
    try:
        _cpp_compiler()
    except Exception as error:  # its errors share no class of their own
        raise InputError(
            "the backend 'compiled' needs a C++ compiler and none is found; install g++ (apt-get install g++) or name "
            "one by the environment variable CXX, or use --backend eager or onnxruntime"
        ) from error


def _cpp_compiler() -> str:
    """Return the C++ compiler that Inductor would run; raises if there is none."""
    from torch._inductor.cpp_builder import get_cpp_compiler

    return get_cpp_compiler()
