"""The targets by name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from seenn_convert.choices import READER_NAMES, TARGET_NAMES, Reader, unknown
from seenn_convert.errors import ExportError, InputError, refuse
from seenn_convert.exporters.document import read_document
from seenn_convert.exporters.exporter import Exporter
from seenn_convert.exporters.network import ExportedNetwork
from seenn_convert.exporters.nir.exporter import NirExporter
from seenn_convert.exporters.onnx.loop import OnnxLoopExporter
from seenn_convert.exporters.onnx.sessions import onnx_network
from seenn_convert.exporters.onnx.split import OnnxExporter
from seenn_convert.exporters.pt2 import Pt2Exporter, pt2_network

EXPORTERS: Mapping[str, Exporter] = dict(
    zip(TARGET_NAMES, (OnnxExporter(), OnnxLoopExporter(), Pt2Exporter(), NirExporter()), strict=True)
)

_READERS: Mapping[str, Callable[[Path], ExportedNetwork]] = {"onnx": onnx_network, "pt2": pt2_network}


def exporter_of(target: str | Exporter, reader: str | None = None) -> Exporter:
    """Return an exporter as it is, or the one of that name.

    Args:
        target: The exporter, or its name.
        reader: For whom a NIR file is written; None for other targets.

    Raises:
        InputError: There is none of that name, no such reader, or a reader for another target.
    """
    if reader is not None:
        if target != "nir":
            raise InputError("a reader says what form a NIR file has; leave it out (--reader), or export --to nir")
        refuse(unknown("reader", reader, READER_NAMES))
        return NirExporter(cast(Reader, reader))
    if not isinstance(target, str):
        return target
    if target not in EXPORTERS:
        raise InputError(f"there is no export target {target!r}; use {', '.join(EXPORTERS)}")
    return EXPORTERS[target]


def exported_network(folder: Path) -> ExportedNetwork:
    """Return the network in a folder that ``export`` wrote, in the runtime of its target.

    Raises:
        ArtifactError: The folder is no export, or was changed.
        ExportError: Its target is not run step by step, or the runtime cannot load it.
    """
    target = read_document(folder).target
    if target not in _READERS:
        raise ExportError(f"{folder} is an export to {target}, which is not run here; export --to onnx")
    return _READERS[target](folder)
