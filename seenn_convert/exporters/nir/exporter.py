"""The target ``nir``: a network of integrate-and-fire neurons for a reader of NIR, with every threshold 1."""

from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.choices import Reader
from seenn_convert.exporters.document import document_of, general_refusals, write_document
from seenn_convert.exporters.exporter import Refusal, Verification
from seenn_convert.exporters.nir.comparison import compared_runs
from seenn_convert.exporters.nir.files import FILE, nir_runtime, read_graph, write_graph
from seenn_convert.exporters.nir.folding import folded
from seenn_convert.exporters.nir.forms import FORMS
from seenn_convert.exporters.nir.graph import NirGraph
from seenn_convert.exporters.nir.interpreter import run
from seenn_convert.exporters.nir.layers import layers_of
from seenn_convert.exporters.nir.reading import LOADER, is_installed, loader_of, reader_run
from seenn_convert.exporters.verification import rounding_alone


@dataclass(frozen=True)
class NirExporter:
    """Writes ``network.nir``, ``seenn.json``, and for a reader the script ``load_network.py``.

    Attributes:
        reader: Whose form the file has.
    """

    reader: Reader = "primitives"
    name: str = "nir"

    def refusals(self, artifact: Artifact) -> list[Refusal]:
        """Return every node that NIR has no words for, or that the reader cannot read."""
        return self._graph(artifact)[1]

    def write(self, artifact: Artifact, folder: Path) -> None:
        """Write the files.

        Raises:
            ExportError: The package ``nir`` is not installed.
        """
        write_graph(self._graph(artifact)[0], folder / FILE)
        files = [FILE]
        loader = loader_of(self.reader)
        if loader is not None:
            (folder / LOADER).write_text(loader.read_text(encoding="utf-8"), encoding="utf-8")
            files.append(LOADER)
        document = document_of(artifact, self.name)
        write_document(replace(document, drives=(), states=(), reader=self.reader), folder, files)

    def verify(self, folder: Path, artifact: Artifact, images: Tensor) -> Verification:
        """Read the file back, and run it in our interpreter; where the reader is installed, in the reader, too."""
        graph = read_graph(folder / FILE)
        found = compared_runs(artifact, lambda batch, timesteps: run(graph, batch, timesteps), images, nir_runtime())
        if is_installed(self.reader):
            theirs = reader_run(self.reader, folder)
            found = compared_runs(artifact, theirs.run, images, theirs.runtime)
        elif self.reader != "primitives":
            found = replace(found, runtime=f"{found.runtime} ({self.reader} is not installed)")
        answers, exits = rounding_alone(artifact, images)
        return replace(found, answers_differ_by_rounding=answers, exits_differ_by_rounding=exits)

    def _graph(self, artifact: Artifact) -> tuple[NirGraph, list[Refusal]]:
        network, refusals = layers_of(artifact)
        if artifact.snn.policy_head is not None:
            reason, remedy = "a policy head is no spiking network", "export the artifact that it was added to"
            refusals.append(Refusal("the policy head", reason, remedy))
        general = general_refusals(artifact)
        graph, more = folded(network, FORMS[self.reader])
        return graph, [*general, *refusals, *more]
