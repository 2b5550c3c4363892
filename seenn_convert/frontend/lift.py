"""Turn the aten calls of an exported graph into calls of a small set of modules, named after the source."""

import builtins
import keyword
import re
from collections.abc import Callable

import torch
from torch import Tensor, fx, nn
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from seenn_convert.errors import InputError, UnsupportedOperatorError
from seenn_convert.frontend.aten import HANDLERS, TRAINING
from seenn_convert.frontend.call import (
    Call,
    Lifted,
    Refusal,
    Same,
    describe_source,
    module_path,
    operator_name,
    rank_of,
    shape_of,
)
from seenn_convert.operators import RELU_FAMILY
from seenn_convert.program import Program, Stage

VIEWS = ("view", "_unsafe_view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "permute", "transpose", "t",
         "slice", "narrow", "split", "split_with_sizes", "chunk", "tensor_split", "contiguous")  # fmt: skip
"""Calls whose result shares memory with part of their input, or may share it; writing to it needs care."""
DROPOUTS = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
IGNORED = ("sym_size", "_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range_for_size", "_guards_fn")
RESERVED = ("image", "output", "clock", "readout", "logits", "score")
"""Names that later passes give to inputs and results; a name that begins with ``drive`` is taken too."""


def lift(exported: ExportedProgram) -> Program:
    """Return the program of stage ANN that computes what ``exported`` computes, for any batch size.

    Raises:
        UnsupportedOperatorError: Lists every call that has no conversion, with its source line.
        InputError: The model does not take one image and return one tensor of logits, or is in training mode.
    """
    return _Lifter(exported).program()


class _Lifter:
    """The walk over the exported graph; ``values`` maps its nodes to the nodes of the new graph."""

    def __init__(self, exported: ExportedProgram) -> None:
        self.exported = exported
        self.constants = _constants(exported)
        self.weights = {value.untyped_storage().data_ptr() for value in self.constants.values()}
        self.graph = fx.Graph()
        self.root = fx.GraphModule(nn.Module(), fx.Graph())  # its attributes are the names a module cannot have
        self.values: dict[fx.Node, fx.Node | list[fx.Node]] = {}
        self.alias_root: dict[fx.Node, fx.Node] = {}
        self.views: set[fx.Node] = set()
        self.sources: dict[str, str] = {}
        self.problems: list[str] = []
        self.broken: set[fx.Node] = set()

    def program(self) -> Program:
        image = self._image()
        self.values[image] = self.graph.placeholder("image")
        for node in self.exported.graph.nodes:
            if node.op == "call_function":
                self._visit(node)
        if self.problems:
            raise UnsupportedOperatorError(self.problems)
        self.graph.output(self._logits())
        value = image.meta["val"]
        program = Program(
            graph_module=fx.GraphModule(self.root, self.graph).eval(),
            stage=Stage.ANN,
            input_shape=shape_of(image),
            input_dtype=value.dtype,
            sources=tuple(self.sources.items()),
        )
        program.graph_module.requires_grad_(False)
        return program

    def _image(self) -> fx.Node:
        signature = self.exported.graph_signature
        names = [s.arg.name for s in signature.input_specs if s.kind is InputKind.USER_INPUT]
        nodes: list[fx.Node] = [n for n in self.exported.graph.nodes if n.op == "placeholder" and n.name in names]
        if len(nodes) != 1:
            raise InputError(f"the model takes {len(nodes)} inputs ({', '.join(names)}); give one that takes one image")
        value = nodes[0].meta.get("val")
        if not isinstance(value, Tensor) or not value.dtype.is_floating_point:
            raise InputError(f"the model's input '{names[0]}' is not a floating-point tensor")
        if any(not isinstance(size, int) for size in value.shape[1:]):
            raise InputError(f"the model's input has shape {tuple(value.shape)}; export it with only the batch dynamic")
        return nodes[0]

    def _logits(self) -> fx.Node:
        specs = self.exported.graph_signature.output_specs
        if any(spec.kind is OutputKind.BUFFER_MUTATION for spec in specs):
            raise InputError(f"the model changes its buffers as it runs: {TRAINING}")
        results = self.exported.graph.output_node().args[0]
        outputs = [node for node in results if isinstance(node, fx.Node)]
        if len(outputs) != 1:
            raise InputError(f"the model returns {len(outputs)} tensors; wrap it to return the logits alone")
        value, shape = self.values.get(outputs[0]), outputs[0].meta["val"].shape
        if not isinstance(value, fx.Node):
            raise InputError("the model's output does not depend on its input")
        if len(shape) != 2:
            raise InputError(f"the model's output has shape {tuple(shape)}; a classifier returns (batch, classes)")
        return value

    def _visit(self, node: fx.Node) -> None:
        name = operator_name(node)
        inputs = node.all_input_nodes
        if any(source in self.broken for source in inputs):
            self.broken.add(node)
        elif "getitem" in str(node.target):
            self._guarded(node, self._item)
        elif name.startswith(IGNORED) or not isinstance(node.meta.get("val"), (Tensor, list, tuple)):
            return
        elif all(source in self.constants for source in inputs):
            self._guarded(node, self._fold)
        else:
            self._guarded(node, self._lift)

    def _guarded(self, node: fx.Node, visit: Callable[[fx.Node], None]) -> None:
        """Visit a node; note a refusal as a problem and go on, so that every problem is listed."""
        try:
            visit(node)
        except Refusal as refusal:
            where = describe_source(node)
            at = f" at {where}" if where else ""
            self.problems.append(f"{node.name} ({str(node.target).removesuffix('.default')}){at}: {refusal}")
            self.broken.add(node)

    def _lift(self, node: fx.Node) -> None:
        name = operator_name(node)
        if name not in HANDLERS:
            raise Refusal("this operator has no conversion yet; replace it or convert the part before it")
        result = HANDLERS[name](Call(node, self.constants))
        if isinstance(node.meta["val"], Tensor):
            self._check_result(node)
        if isinstance(result, Lifted) and isinstance(result.module, RELU_FAMILY) and rank_of(node) < 2:
            raise Refusal("it acts on one number a row; unsqueeze its input behind the batch")
        self._enter(node, name, result)
        self._note_alias(node, name, result)

    def _enter(self, node: fx.Node, name: str, result: Lifted | Same | list[Lifted]) -> None:
        if isinstance(result, Same):
            self.values[node] = self.values[result.node]
        elif isinstance(result, Lifted):
            self.values[node] = self._call(node, name, result)
        else:
            self.values[node] = [self._call(node, name, part) for part in result]

    def _call(self, node: fx.Node, name: str, lifted: Lifted) -> fx.Node:
        inputs = tuple(self.values[source] for source in lifted.inputs)
        if any(isinstance(value, list) for value in inputs):
            raise Refusal("it takes a list of tensors where one is expected")
        target = self._target(node, name)
        call = self.graph.create_node("call_module", target, inputs, {}, name=target)
        call.target = call.name  # fx adds a number to names it keeps for itself
        self.root.add_module(call.name, lifted.module)
        self.sources[call.name] = describe_source(node)
        return call

    def _target(self, node: fx.Node, name: str) -> str:
        """Name a call after the module it was traced in, with the operator where the module holds several."""
        path, kind = module_path(node)
        leaf = kind.startswith("torch.nn.modules.") and "container" not in kind
        stem = path if path and leaf else f"{path}.{name}" if path else name
        stem = re.sub(r"\W+", "_", stem).strip("_") or name
        taken = stem in RESERVED or stem.startswith("drive") or keyword.iskeyword(stem) or hasattr(builtins, stem)
        stem = f"layer_{stem}" if taken or stem[0].isdigit() or hasattr(fx.GraphModule, stem) else stem
        candidate, number = stem, 1
        while hasattr(self.root, candidate):
            candidate, number = f"{stem}_{number}", number + 1
        return candidate

    def _item(self, node: fx.Node) -> None:
        source, index = node.args
        values = self.values.get(source)  # type: ignore[arg-type]
        if isinstance(values, list):
            self.values[node] = values[index]  # type: ignore[index]
            self.views.add(node)
            self.alias_root[node] = self._root(source)  # type: ignore[arg-type]
        elif isinstance(values, fx.Node) and index == 0:  # the other results of such a call are side products
            self.values[node] = values
            self.alias_root[node] = self._root(source)  # type: ignore[arg-type]
        elif source in self.constants:
            self.constants[node] = self.constants[source][index]  # type: ignore[index]
        elif node.users:
            raise Refusal("it uses a side product of a layer, as the places of the maxima, which has no conversion")

    def _fold(self, node: fx.Node) -> None:
        """Evaluate a call that depends on parameters only, once."""
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            raise Refusal("it draws random numbers; make them a buffer")
        written = self.constants.get(_written(node))  # type: ignore[arg-type]
        if isinstance(written, Tensor) and written.untyped_storage().data_ptr() in self.weights:
            raise Refusal("it changes a parameter or buffer as the model runs; call model.eval() before it is exported")
        arguments = fx.map_arg(node.args, lambda source: self.constants[source])
        options = fx.map_arg(node.kwargs, lambda source: self.constants[source])
        with torch.no_grad():
            self.constants[node] = node.target(*arguments, **options)  # type: ignore[operator]

    def _check_result(self, node: fx.Node) -> None:
        image, value = self._image().meta["val"], node.meta["val"]
        if not value.shape or (value.shape[0] != image.shape[0] and str(value.shape[0]) != str(image.shape[0])):
            raise Refusal("its result does not begin with the batch axis, so rows would depend on each other")
        if value.dtype != image.dtype:
            raise Refusal("it changes the type of the numbers; convert the model in one floating-point type")
        shape_of(node)

    def _root(self, node: fx.Node) -> fx.Node:
        return self.alias_root.get(node, node)

    def _note_alias(self, node: fx.Node, name: str, result: Lifted | Same | list[Lifted]) -> None:
        """Keep track of which tensors share memory, so that an in-place call changes what it changes in PyTorch."""
        written = _written(node)
        if written is not None:
            self._write(node, written)
        elif name in VIEWS or name in DROPOUTS or (isinstance(result, Same) and not _copies(node, name)):
            self.alias_root[node] = self._root(node.all_input_nodes[0])
            if name in VIEWS and (not isinstance(result, Same) or name == "contiguous"):
                self.views.add(node)

    def _write(self, node: fx.Node, target: fx.Node) -> None:
        """Let every later use of the written tensor, under any of its names, see the result of ``node``."""
        if target in self.constants:
            raise Refusal("it writes the activation into a constant; use a call that returns its result")
        root = self._root(target)
        names = [other for other in self.values if self._root(other) is root and other is not node]
        if any(other in self.views for other in names):
            if any(self._is_ahead(user) for other in names for user in other.users if user is not node):
                raise Refusal("it writes in place into a tensor that is also seen through a view; use a copy")
            return
        for other in names:
            self.values[other] = self.values[node]
        self.alias_root[node] = root

    def _is_ahead(self, node: fx.Node) -> bool:
        """Return whether a node reads numbers (not just a shape) and was not visited yet."""
        reads = node.op == "output" or isinstance(node.meta.get("val"), (Tensor, list, tuple))
        return reads and node not in self.values and node not in self.broken


def _written(node: fx.Node) -> fx.Node | None:
    """Return the tensor that a call writes into, None where it returns a new one."""
    arguments = node.target._schema.arguments if isinstance(node.target, OpOverload) else []
    names = [a.name for a in arguments if a.alias_info is not None and a.alias_info.is_write]
    value = Call(node, {}).value(names[0]) if names else None
    return value if isinstance(value, fx.Node) else None


def _copies(node: fx.Node, name: str) -> bool:
    """Return whether a call that returns its input's numbers puts them into new memory."""
    return name in ("clone", "_to_copy", "lift_fresh_copy") or Call(node, {}).flag("copy")


def _constants(exported: ExportedProgram) -> dict[fx.Node, Tensor]:
    """Return the value of every placeholder that is a parameter, a buffer or a literal tensor."""
    values: dict[fx.Node, Tensor] = {}
    nodes = {node.name: node for node in exported.graph.nodes if node.op == "placeholder"}
    for spec in exported.graph_signature.input_specs:
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR) and spec.target:
            found = exported.state_dict.get(spec.target, exported.constants.get(spec.target))
            if isinstance(found, Tensor):
                values[nodes[spec.arg.name]] = found.detach()
    return values
