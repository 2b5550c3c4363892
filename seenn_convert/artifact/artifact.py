"""The artifact: a converted network as a folder of data, written whole or not at all, loaded without any user code."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from seenn_convert.artifact.check import MOST_WORK, check_one_image, check_runs
from seenn_convert.artifact.files import folder_named, read_json, replaced_folder, sha256_of, sha256_of_json, write_json
from seenn_convert.artifact.graphs import graph_from_json, graph_to_json
from seenn_convert.artifact.schema.coding import from_plain, to_plain
from seenn_convert.artifact.schema.manifest import FORMAT, ConversionFacts, Manifest
from seenn_convert.artifact.schema.provenance import Provenance
from seenn_convert.artifact.schema.report import Report, migrated
from seenn_convert.choices import PRECISION_NAMES, Precision
from seenn_convert.data.checks import checked_names, classes_of
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.errors import ArtifactError, InputError
from seenn_convert.exits.certificates.certificate import Certificate
from seenn_convert.ir.program import PassRecord, Program, Stage, StateSpec
from seenn_convert.ir.schema import Extras
from seenn_convert.ir.scores import ExitScore, score_named
from seenn_convert.passes.lower_precision import in_precision
from seenn_convert.rows import channels_last
from seenn_convert.runtime.policies import (
    ExitPolicy,
    FixedPolicy,
    PlannedPolicy,
    ThresholdPolicy,
    policy_from_json,
    reads_plan,
)
from seenn_convert.runtime.spiking_model import SpikingModel

DTYPES = {"float32": torch.float32, "float64": torch.float64, "float16": torch.float16, "bfloat16": torch.bfloat16}
PROGRAM_VERSION = 1
MANIFEST, PROGRAM, WEIGHTS, REPORT = "manifest.json", "program.json", "weights.safetensors", "report.json"

READABLE = {MANIFEST: (1, 2), PROGRAM: (PROGRAM_VERSION,), REPORT: (1, 2)}
"""The schema versions that this program reads."""


@dataclass(frozen=True, eq=False)
class Artifact:
    """A converted network with all it needs to run, to be judged and to be calibrated again.

    Attributes:
        ann: The ANN in the form in which neurons were inserted; of a network that was trained as a spiking one its
            first timestep, which says what its layers are.
        snn: The spiking program with stem and exit probe, and with a policy head where one was attached.
        timesteps: The longest run T.
        policy: Who leaves when.
        preprocessing: What turns pixels into the model's input.
        class_names: Names by label, where the data had them.
        provenance: Where model and data came from, with hashes, versions, options and seed.
        facts: What the conversion measured and later commands need.
        report: For readers: the conversion, and the evaluation once there is one.
        certificate: What leaving early costs at most; dropped where ``policy`` is not the one that it is about.
    """

    ann: Program
    snn: Program
    timesteps: int
    policy: ExitPolicy
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    class_names: tuple[str, ...] | None = None
    provenance: Provenance = field(default_factory=Provenance)
    facts: ConversionFacts = field(default_factory=ConversionFacts)
    report: Report = field(default_factory=Report)
    certificate: Certificate | None = None

    def __post_init__(self) -> None:
        """Drop a certificate of another policy, and one in the report that is not the artifact's."""
        if self.certificate is not None and dict(self.certificate.policy) == self.policy.to_json():
            return
        object.__setattr__(self, "certificate", None)
        if self.report.conversion is not None:
            conversion = replace(self.report.conversion, certificate=None)
            object.__setattr__(self, "report", replace(self.report, conversion=conversion))

    def __repr__(self) -> str:
        """Return what was converted from what, in three lines; ``report`` has the rest."""
        origin, calibration, shape = self.provenance.model, self.provenance.calibration, self.snn.input_shape
        images = "" if calibration is None else f", calibrated on {calibration.images} images of {calibration.name}"
        named = "" if self.class_names is None else ", named"
        return (
            f"Artifact({origin.name} ({origin.format}) as a spiking network: inputs {shape}, {classes_of(self.snn)} "
            f"classes{named},\n  at most {self.timesteps} timesteps, exit by {self.policy.to_json()['policy']}{images};"
            "\n  .save(folder), .model(), .report)"
        )

    @property
    def reference(self) -> Program | None:
        """The ANN that the network is compared with; None if it was adopted: then it is its own full run."""
        return self.ann if self.facts.reference == "ann" else None

    def with_classes(self, names: Sequence[str] | None) -> "Artifact":
        """Return the artifact with ``names`` for the model's outputs, in order; as it is where they are None.

        Raises:
            InputError: There is not a different, printable name for each output.
        """
        if names is None:
            return self
        names, facts = checked_names(names, classes_of(self.snn)), self.report.model
        report = self.report if facts is None else replace(self.report, model=replace(facts, class_names=names))
        return replace(self, class_names=names, report=report)

    @property
    def precision(self) -> Precision:
        """What its exits were fitted for: the precision in which convolutions and linear layers of a step compute."""
        found = self.provenance.options.get("precision")
        return next((name for name in PRECISION_NAMES if name == found), "float32")

    def model(self, precision: Precision | None = None) -> SpikingModel:
        """Return the spiking network as a module of its own: moving or casting it leaves the artifact alone.

        It computes in ``precision``, or in that for which its exits were fitted. In another one a certificate says
        nothing.
        """
        found = in_precision(copy.deepcopy(self.snn), precision or self.precision)
        return SpikingModel(found, self.timesteps, self.policy)

    def save(self, path: Path | str) -> None:
        """Write the artifact to the folder ``path``; a crash leaves what was there before.

        Raises:
            InputError: ``path`` exists and is not an artifact, or cannot be written; or the parts of this one do not
                fit together, so that it could not be loaded.
        """
        _check_fit(self)
        with replaced_folder(folder_named(path), MANIFEST) as folder:
            store: dict[str, torch.Tensor] = {}
            write_json(folder / PROGRAM, _program_to_json(self, store))
            save_file({key: _own_memory(value) for key, value in store.items()}, folder / WEIGHTS)
            (folder / WEIGHTS).chmod((folder / PROGRAM).stat().st_mode)  # safetensors writes for the owner alone
            manifest = Manifest(
                timesteps=self.timesteps,
                policy=self.policy.to_json(),
                preprocessing=self.preprocessing.to_json(),
                class_names=self.class_names,
                certificate=self.certificate,
                provenance=self.provenance,
                conversion=self.facts,
                files={name: sha256_of(folder / name) for name in (PROGRAM, WEIGHTS)},
            )
            write_json(folder / MANIFEST, replace(manifest, checksum=_checksum(to_plain(manifest))))
            if self.report != Report():
                write_json(folder / REPORT, self.report)


def load_artifact(
    path: Path | str, scores: Sequence[ExitScore] = (), extra_modules: Sequence[type[nn.Module]] = ()
) -> Artifact:
    """Return the artifact in the folder ``path``; nothing is unpickled and no code that the files name is imported.

    Args:
        path: The folder.
        scores: Exit scores of your own, as they were given to ``Options``; files name them and hold no code.
        extra_modules: ``Neuron`` and ``CustomOperator`` classes of your own that the network holds.

    Raises:
        ArtifactError: The folder is missing, of another version, incomplete, or was changed; or the network holds an
            exit score or a module that is neither of this package nor given here.
        InputError: Two of the scores have one name.
    """
    path, extras = folder_named(path), Extras(scores, extra_modules)
    for score in scores:
        score_named(score.name, scores)
    try:
        manifest, report = _read_manifest(path), _read_report(path / REPORT)
        if manifest.schema_version == 1:
            manifest = replace(manifest, conversion=ConversionFacts.of_report(report))
        for name in (PROGRAM, WEIGHTS):
            _check_file(path / name, manifest.files[name])
        program, store = _versioned(path / PROGRAM, read_json(path / PROGRAM)), load_file(path / WEIGHTS)
        shapes = _programs_from_json(program, {key: value.to("meta") for key, value in store.items()}, extras)
        work = check_runs(*shapes, manifest.timesteps)
        ann, snn = _programs_from_json(program, {key: channels_last(value) for key, value in store.items()}, extras)
        if work <= MOST_WORK:
            check_one_image(ann, snn)
        artifact = _artifact(path / MANIFEST, manifest, ann, snn, report, scores)
        _check_fit(artifact)
        SpikingModel(artifact.snn, artifact.timesteps, artifact.policy)  # refuses what does not fit together
    except ArtifactError:
        raise
    except Exception as error:  # whatever the content of a damaged file may provoke
        raise ArtifactError(f"{path} is damaged ({type(error).__name__}: {error}); convert the model again") from error
    return artifact


def as_artifact(artifact: Artifact | Path | str) -> Artifact:
    """Return an artifact as it is, or the one in the folder that is named.

    Raises:
        InputError: It is something else.
        ArtifactError: As ``load_artifact``.
    """
    if isinstance(artifact, Artifact):
        return artifact
    if isinstance(artifact, SpikingModel):
        raise InputError("a spiking model is no artifact; give what convert returned, or the folder it was saved in")
    return load_artifact(artifact)


def is_artifact(path: Path) -> bool:
    """Return whether ``path`` looks like an artifact folder."""
    return path.is_dir() and (path / MANIFEST).is_file()


def _read_manifest(path: Path) -> Manifest:
    if not path.is_dir():
        raise ArtifactError(f"{path} is not an artifact folder; give the folder that 'convert' wrote")
    if not (path / MANIFEST).exists():
        raise ArtifactError(f"{path} is a folder but not an artifact; check the path, or convert the model again")
    data = read_json(path / MANIFEST)
    if data.get("format") != FORMAT:
        raise ArtifactError(f"{path / MANIFEST} is not the manifest of an artifact; convert the model again")
    _versioned(path / MANIFEST, data)
    if data.get("checksum") != _checksum(data):
        raise ArtifactError(f"{path / MANIFEST} was changed or damaged (checksum); convert the model again")
    manifest = from_plain(data, Manifest, path / MANIFEST)
    if set(manifest.files) != {PROGRAM, WEIGHTS}:
        raise ArtifactError(f"{path / MANIFEST} does not name the two files of an artifact; convert the model again")
    return manifest


def _checksum(manifest: Mapping[str, object]) -> str:
    return sha256_of_json({name: value for name, value in manifest.items() if name != "checksum"})


def _versioned(path: Path, data: dict[str, Any]) -> dict[str, Any]:
    """Return the document read from ``path`` if its version is one that this program reads."""
    readable, found = READABLE[path.name], data.get("schema_version")
    if type(found) is not int or found not in readable:
        raise ArtifactError(
            f"{path} has schema version {found!r}, this program reads {' and '.join(map(str, readable))}; "
            "convert the model again or use the version that wrote it"
        )
    return data


def _read_report(path: Path) -> Report:
    """Return the report; a network runs without one, so it may be missing, but what is there must be a report."""
    if not path.exists():
        return Report()
    data = _versioned(path, {"schema_version": 1, **read_json(path)})
    return from_plain(migrated(data), Report, path, "remove it, or convert the model again")


def _check_fit(artifact: Artifact) -> None:
    """Raise InputError where policy or class names do not fit the network."""
    timesteps, policy, names = artifact.timesteps, artifact.policy, artifact.class_names
    early = policy.early if isinstance(policy, PlannedPolicy) else policy
    if isinstance(early, ThresholdPolicy) and len(early.thresholds) != timesteps:
        raise InputError(f"the policy has {len(early.thresholds)} thresholds for {timesteps} timesteps; give one each")
    if isinstance(policy, FixedPolicy) and policy.timesteps > timesteps:
        raise InputError(f"the policy leaves after {policy.timesteps} timesteps and the network runs for {timesteps}")
    if reads_plan(policy) and artifact.snn.policy_head is None:
        raise InputError("the policy follows a plan and the network has no policy head; attach one")
    classes = classes_of(artifact.snn)
    if names is not None and len(names) != classes:
        raise InputError(f"there are {len(names)} class names for {classes} classes; give one each, or none")


def _artifact(
    path: Path, manifest: Manifest, ann: Program, snn: Program, report: Report, scores: Sequence[ExitScore]
) -> Artifact:
    try:
        policy = policy_from_json(manifest.policy, scores)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error
    if manifest.certificate is not None and dict(manifest.certificate.policy) != policy.to_json():
        raise ArtifactError(
            f"{path}: the certificate is about another exit policy than the artifact's; convert the model again"
        )
    return Artifact(
        ann=ann,
        snn=snn,
        timesteps=manifest.timesteps,
        policy=policy,
        preprocessing=Preprocessing.from_json(manifest.preprocessing),
        class_names=manifest.class_names,
        provenance=manifest.provenance,
        facts=manifest.conversion,
        report=report,
        certificate=manifest.certificate,
    )


def _check_file(path: Path, expected: str) -> None:
    if not path.is_file():
        raise ArtifactError(f"{path} is missing; convert the model again")
    if sha256_of(path) != expected:
        raise ArtifactError(f"{path} was changed or truncated (checksum); convert the model again")


def _program_to_json(artifact: Artifact, store: dict[str, torch.Tensor]) -> dict[str, Any]:
    snn = artifact.snn
    if snn.stem is None:
        raise ValueError("the spiking program has no stem")
    return {
        "schema_version": PROGRAM_VERSION,
        "input_shape": list(snn.input_shape),
        "input_dtype": str(snn.input_dtype).removeprefix("torch."),
        "ann": graph_to_json(artifact.ann.graph_module, store, "ann"),
        "stem": graph_to_json(snn.stem, store, "stem"),
        "step": graph_to_json(snn.graph_module, store, "step"),
        **({} if snn.policy_head is None else {"policy": graph_to_json(snn.policy_head, store, "policy")}),
        "results": list(snn.results),
        "states": [{"name": s.name, "shape": list(s.shape), "initial": s.initial} for s in snn.states],
        "sources": dict(snn.sources),
        "ann_passes": [[r.name, list(r.changed), [list(pair) for pair in r.declined]] for r in artifact.ann.history],
    }


def _programs_from_json(
    data: Mapping[str, Any], store: Mapping[str, torch.Tensor], extras: Extras
) -> tuple[Program, Program]:
    shape = tuple(_count(size) for size in data["input_shape"])
    dtype = DTYPES[data["input_dtype"]]
    sources = tuple((str(name), str(source)) for name, source in data["sources"].items())
    history = tuple(
        PassRecord(str(name), tuple(changed), tuple((str(node), str(why)) for node, why in declined))
        for name, changed, declined in data["ann_passes"]
    )
    graph = graph_from_json(data["ann"], store, extras)
    ann = Program(graph, Stage.ANN, shape, dtype, sources=sources, history=history)
    snn = Program(
        graph_from_json(data["step"], store, extras),
        Stage.SNN,
        shape,
        dtype,
        results=tuple(data["results"]),
        states=tuple(
            StateSpec(s["name"], tuple(_count(size) for size in s["shape"]), s["initial"]) for s in data["states"]
        ),
        stem=graph_from_json(data["stem"], store, extras),
        policy_head=graph_from_json(data["policy"], store) if "policy" in data else None,
        sources=sources,
    )
    return ann, snn


def _own_memory(value: torch.Tensor) -> torch.Tensor:
    """Return a copy on the CPU: tensors that are parts of one block of memory cannot be stored as they are."""
    return value.cpu().clone(memory_format=torch.contiguous_format)


def _count(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"{value!r} is not a whole number above 0")
    return value
