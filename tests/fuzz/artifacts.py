"""Artifacts with one thing changed and their checksums made right again, as one who edits them on purpose could."""

import atexit
import copy
import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import small_artifacts as small
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from seenn_convert import convert
from seenn_convert.artifact.artifact import MANIFEST, PROGRAM, WEIGHTS, Artifact, load_artifact
from seenn_convert.artifact.files import sha256_of, sha256_of_json
from seenn_convert.workflows.convert.options import Options

LONGEST_RUN = 64
"""Timesteps of a network that is run, and not only loaded."""

VALUES: tuple[Any, ...] = (
    0, 1, -1, 2, 3, 7, 99, -99, 2**31, 2**40, -(2**62), 2**64, 0.5, -0.0, 1e-30, 1e30, 1e308, True, False, None, "", "a",
    "@0", "@1", "@9", "#0", "#9", [], [0], [1, 1], [2, 2, 2], [-1], [2**33], {}, {"float": "nan"}, {"float": "inf"}, "same",
)  # fmt: skip
DTYPES = (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.bool, torch.complex64)

Json = dict[str, Any]


class Mixed(nn.Module):
    """Attention, normalization and operators of ATen of many kinds on an image of ``small_artifacts``."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm, self.attend = nn.Conv2d(1, 8, 2, 2), nn.LayerNorm(8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.mix, self.head = nn.Linear(8, 16), nn.Linear(16, small.CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        x = nn.functional.interpolate(nn.functional.pad(x, (0, 0, 1, 1)), (8, 8), mode="bilinear")
        x = self.embed(x).roll(1, 2).cumsum(3).flatten(2).transpose(1, 2)
        y = self.norm(x)
        x = x + self.attend(y, y, y, need_weights=False)[0].tril().masked_fill(torch.eye(16, 8) > 0, 0.5)
        x = nn.functional.glu(self.mix(nn.functional.gelu(x)).sort(-1).values, -1).softmax(-1)
        x = torch.cat([x, nn.functional.normalize(x, dim=-1).clamp(-0.5, 0.5).index_select(2, torch.tensor([0, 2, 1]))], 2)
        x = nn.functional.max_pool1d(x.transpose(1, 2).relu(), 2, 2).amax(1)
        x = torch.cat([x, x.flip(1)], 1) / 2
        return self.head(x)


@cache
def _bases() -> tuple[Path, ...]:
    """Return the folders of whole artifacts, which stay for as long as the process that made them."""
    torch.manual_seed(0)
    folder, owner = Path(tempfile.mkdtemp(prefix="fuzz-artifacts-")), os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(folder, ignore_errors=True))  # not by a fork
    mixed = convert(Mixed().eval(), small.dataset(), Options(timesteps=4, batch_size=32))
    for name, artifact in (("small", small.artifact()), ("mixed", mixed)):
        artifact.save(folder / name)
    return folder / "small", folder / "mixed"


@cache
def _operators() -> tuple[str, ...]:
    """Return all operators of ATen, as an artifact would name them."""
    names = [name.removeprefix("aten::") for name in torch._C._dispatch_get_all_op_names() if name.startswith("aten::")]
    return tuple(sorted(name if "." in name else f"{name}.default" for name in names))


def trials(seed: int) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield what is changed, and a callable that makes the changed artifact in an empty folder, loads it and runs it."""
    generator = random.Random(seed)
    while True:
        base = generator.choice(_bases())
        kind = generator.choices((_operator, _argument, _leaf, _wiring, _tensor, _manifest), (4, 4, 6, 2, 3, 2))[0]
        draw = random.Random(generator.getrandbits(64))
        parts = _Parts(json.loads((base / PROGRAM).read_text()), load_file(base / WEIGHTS),
                       json.loads((base / MANIFEST).read_text()))  # fmt: skip
        what = kind(parts, draw)
        yield f"{base.name}: {what}", parts.run


class _Parts:
    """The content of an artifact, to be changed."""

    def __init__(self, program: Json, weights: dict[str, Tensor], manifest: Json) -> None:
        self.program, self.weights, self.manifest = program, weights, manifest

    def run(self, folder: Path) -> None:
        """Write the artifact, load it, run it on two images and write it again."""
        path = folder / "net"
        path.mkdir()
        (path / PROGRAM).write_text(json.dumps(self.program))
        save_file({name: value.contiguous() for name, value in self.weights.items()}, path / WEIGHTS)
        manifest = {**self.manifest, "files": {name: sha256_of(path / name) for name in (PROGRAM, WEIGHTS)}}
        manifest.pop("checksum", None)
        (path / MANIFEST).write_text(json.dumps({**manifest, "checksum": sha256_of_json(manifest)}))
        artifact = load_artifact(path)
        run_loaded(artifact)
        shutil.rmtree(path)

    def modules(self) -> list[Json]:
        """Return the descriptions of all modules, those that others wrap too."""
        found = [one for part in ("ann", "stem", "step") for one in self.program[part]["modules"].values()]
        for one in found:
            found.extend([one["wrapped"]] if isinstance(one.get("wrapped"), dict) else [])
        return found


def run_loaded(artifact: Artifact) -> None:
    """Run a network that was loaded."""
    images = torch.zeros(2, *artifact.snn.input_shape, dtype=artifact.snn.input_dtype)
    artifact.ann(images)
    if artifact.timesteps <= LONGEST_RUN:
        artifact.model()(images)


def _operator(parts: _Parts, draw: random.Random) -> str:
    """Call another operator of ATen: any at all, or another overload."""
    calls = [one for one in parts.modules() if one["operator"] == "AtenOperator"]
    if not calls:
        return _leaf(parts, draw)
    options = draw.choice(calls)["options"]
    name = options["operator"].split(".")[0]
    same = [one for one in _operators() if one.split(".")[0] == name]
    before, options["operator"] = options["operator"], draw.choice(draw.choice((same, _operators())))
    for _ in range(draw.randrange(3)):
        options["arguments"].append(draw.choice(VALUES))
    return f"{before} becomes {options['operator']}{options['arguments']}"


def _argument(parts: _Parts, draw: random.Random) -> str:
    """Change an option of a module."""
    module = draw.choice([one for one in parts.modules() if one["options"]])
    name = draw.choice(sorted(module["options"]))
    value = module["options"][name]
    if isinstance(value, list) and value and draw.random() < 0.7:
        value[draw.randrange(len(value))] = draw.choice(VALUES)
    else:
        module["options"][name] = draw.choice(VALUES)
    return f"{module['operator']} gets {name}={module['options'][name]!r}"


def _leaf(parts: _Parts, draw: random.Random) -> str:
    """Change, remove or repeat anything in the program."""
    return _changed(parts.program, draw)


def _manifest(parts: _Parts, draw: random.Random) -> str:
    """Change, remove or repeat anything in the manifest."""
    return f"manifest {_changed(parts.manifest, draw)}"


def _changed(document: Any, draw: random.Random) -> str:
    path, parent, key = [], document, draw.choice(sorted(document))
    while isinstance(parent[key], (dict, list)) and parent[key] and draw.random() < 0.9:
        path.append(str(key))
        parent = parent[key]
        key = draw.choice(sorted(parent)) if isinstance(parent, dict) else draw.randrange(len(parent))
    where, how = "/".join([*path, str(key)]), draw.randrange(4)
    if how == 0:
        del parent[key]
        return f"{where} is removed"
    if how == 1 and isinstance(parent, list):
        parent.insert(draw.randrange(len(parent) + 1), copy.deepcopy(parent[key]))
        return f"{where} is there twice"
    parent[key] = draw.choice(VALUES)
    return f"{where} becomes {parent[key]!r}"


def _wiring(parts: _Parts, draw: random.Random) -> str:
    """Let a node read another value, or call another module."""
    part = draw.choice(("ann", "stem", "step"))
    nodes = parts.program[part]["nodes"]
    node = draw.choice([one for one in nodes if one.get("inputs")])
    names = [one["name"] for one in nodes[: nodes.index(node)]]
    if node["op"] == "call" and draw.random() < 0.3:
        node["module"] = draw.choice(sorted(parts.program[part]["modules"]))
        return f"{part}/{node['name']} calls {node['module']}"
    node["inputs"][draw.randrange(len(node["inputs"]))] = draw.choice(names)
    return f"{part}/{node['name']} reads {node['inputs']}"


def _tensor(parts: _Parts, draw: random.Random) -> str:
    """Change the type, the shape or the numbers of a tensor, or of all of them."""
    names = sorted(parts.weights) if draw.random() < 0.2 else [draw.choice(sorted(parts.weights))]
    how, dtype = draw.randrange(3), draw.choice(DTYPES)
    for name in names:
        value = parts.weights[name]
        if how == 0:
            parts.weights[name] = value.to(dtype)
        elif how == 1:
            new = draw.choice((value.flatten(), value[:0] if value.dim() else value, value.unsqueeze(0), value.transpose(0, -1)
                               if value.dim() else value, value.sum()))  # fmt: skip
            parts.weights[name] = new.contiguous()
        else:
            number = draw.choice((0.0, -1.0, 1e30, float("nan"), float("inf")))
            parts.weights[name] = torch.full_like(value, int(number) if number in (0, -1) else number) if (
                value.dtype.is_floating_point or number in (0, -1)) else value  # fmt: skip
    return f"{', '.join(names[:2])}: {('type ' + str(dtype), 'shape', 'numbers')[how]}"
