"""Run a file in the reader that it was written for, by the script that lies beside it."""

import importlib.util
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seenn_convert.choices import Reader
from seenn_convert.errors import ExportError, reason_of
from seenn_convert.exporters.nir.interpreter import Sent
from seenn_convert.frontend.quiet import quiet

LOADER = "load_network.py"


@dataclass(frozen=True)
class InReader:
    """A network in its reader.

    Attributes:
        network: What the script made of the file.
        runtime: The reader and its version.
    """

    network: Any
    runtime: str

    def run(self, images: Tensor, timesteps: int) -> Iterator[Sent]:
        """Yield what each timestep sends.

        Raises:
            ExportError: The reader fails.
        """
        for t in range(timesteps):
            try:
                if t == 0:
                    self.network.start(len(images))
                output, spikes = self.network.step(images)
            except Exception as error:  # whatever another library may raise
                raise ExportError(
                    f"{self.runtime} does not run the file ({type(error).__name__}: {reason_of(error)}); use "
                    "--no-verify to have the files"
                ) from error
            yield Sent(_tensor(output), {name: _tensor(value) for name, value in spikes.items()})


def loader_of(reader: Reader) -> Path | None:
    """Return the script that loads a file in a reader; None for primitives, which nothing special reads."""
    return None if reader == "primitives" else Path(__file__).with_name("readers") / f"load_{reader}.py"


def is_installed(reader: Reader) -> bool:
    """Return whether a reader is installed."""
    return reader != "primitives" and importlib.util.find_spec(reader) is not None


def reader_run(reader: Reader, folder: Path) -> InReader:
    """Return a network in its reader.

    Raises:
        ExportError: The reader cannot be imported, or refuses the file.
    """
    spec = importlib.util.spec_from_file_location(f"load_{reader}", folder / LOADER)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    try:
        with quiet(), redirect_stdout(StringIO()):
            spec.loader.exec_module(script)
            network = script.Network(folder)
    except ImportError as error:
        raise ExportError(
            f"{reader} is installed and cannot be imported ({error}); install what it needs, or use --no-verify to "
            "have the files"
        ) from error
    except Exception as error:  # whatever another library may raise
        raise ExportError(
            f"{reader} does not load the file ({type(error).__name__}: {reason_of(error)}); use --no-verify to have "
            "the files"
        ) from error
    return InReader(network, f"{reader} {metadata.version(reader)}")


def _tensor(value: Any) -> Tensor:
    return value.detach() if isinstance(value, Tensor) else torch.from_numpy(np.array(value))
