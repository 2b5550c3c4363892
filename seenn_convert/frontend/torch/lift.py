"""Turn the aten calls of an exported graph into calls of a small set of modules, named after the source."""

import builtins
import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from seenn_convert.errors import InputError, UnsupportedOperatorError, reason_of
from seenn_convert.frontend.outputs import output_of
from seenn_convert.frontend.torch.aliasing import Aliases, written
from seenn_convert.frontend.torch.aten import AWARE, HANDLERS, Operator, elementwise, of_other_type
from seenn_convert.frontend.torch.aten.other_types import CASTS
from seenn_convert.frontend.torch.autocast import AUTOCAST, inline_disabled_autocast
from seenn_convert.frontend.torch.call import (
    Call,
    Constant,
    Lifted,
    Refusal,
    Result,
    Same,
    describe_source,
    dtype_of,
    full_operator_name,
    layout_of,
    module_path,
    operator_name,
    per_part,
    written_as,
)
from seenn_convert.frontend.torch.decompose import decompose
from seenn_convert.frontend.torch.fuse import OTHER_TYPE, fuse
from seenn_convert.frontend.torch.layout import PLAIN, STAND_IN, Layout, batch_of, size_for_one_row, sizes_of
from seenn_convert.frontend.torch.whole_numbers import take_as_floats
from seenn_convert.ir.operators import ConstantRow
from seenn_convert.ir.program import Program, Stage, ancestors

IGNORED = ("sym_size", "_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range_for_size", "_guards_fn")
REFUSED = {
    AUTOCAST: "torch.autocast changes the type of number in between; take it out of the model's code",
    "aten::fused_moving_avg_obs_fake_quant": "it is fake quantisation whose scale may follow the images; give the "
    "nn.Module, after model.apply(torch.ao.quantization.disable_observer)",
}
"""Operators that are refused for a reason of their own."""

RESERVED = ("image", "output", "clock", "readout", "run_length", "logits", "score")
"""Names that later passes give to inputs and results; a name that begins with ``drive`` is taken too."""


def lift(
    exported: ExportedProgram, output_name: str | None = None, extra_operators: Sequence[Operator] = ()
) -> Program:
    """Return the program of stage ANN that computes what ``exported`` computes, for any batch size.

    Args:
        exported: A classifier.
        output_name: Which of its results are the logits; needed where there are several.
        extra_operators: Operators of the user's own; they come before those that this package knows.

    Raises:
        UnsupportedOperatorError: Lists every call that has no conversion, with its source line.
        InputError: The model does not take one image and return logits, or is in training mode.
    """
    return _Lifter(exported, output_name, extra_operators).program()


class _Lifter:
    """The walk over the exported graph; ``values`` maps its nodes to the nodes of the new graph."""

    def __init__(self, exported: ExportedProgram, output_name: str | None, extra: Sequence[Operator]) -> None:
        self.extra = {operator.name: operator for operator in extra}
        self.exported, self.output_name = exported, output_name
        self.source = fx.Graph()  # a copy: layouts are noted on its nodes
        copies: dict[fx.Node, fx.Node] = {}
        self.source.output(self.source.graph_copy(exported.graph, copies))
        inline_disabled_autocast(self.source, exported.graph_module)
        self.inputs = {old.name: new for old, new in copies.items() if old.op == "placeholder"}
        self.constants = _constants(exported, self.inputs)
        self.weights = {value.untyped_storage().data_ptr() for value in self.constants.values()}
        self.numbers: dict[fx.Node, int] = {}
        self.graph = fx.Graph()
        self.root = fx.GraphModule(nn.Module(), fx.Graph())  # its attributes are the names a module cannot have
        self.values: dict[fx.Node, fx.Node | list[fx.Node]] = {}
        self.aliases = Aliases(self.values, self.constants)
        self.sources: dict[str, str] = {}
        self.problems: dict[fx.Node, str] = {}
        self.broken: set[fx.Node] = set()
        self.image = self._find_image()
        decompose(self.source, self.image, self.extra)
        self.batch = batch_of(self.image)
        self.is_open = self.batch == STAND_IN
        self.dtype = dtype_of(self.image)

    def program(self) -> Program:
        image = self.values[self.image] = self.graph.placeholder("image")
        image.meta["val"] = self.image.meta["val"]
        output = _before_casts(output_of(self.exported, self.source, self.output_name), self.dtype)
        for node in self.source.nodes:
            if node.op == "call_function":
                self._visit(node)
        needed = ancestors([output])
        problems = [text for node, text in self.problems.items() if node in needed or written(node) is not None]
        if problems:
            raise UnsupportedOperatorError(problems)
        self.graph.output(self._logits(output))
        fuse(self.root, self.graph)
        graph_module = fx.GraphModule(self.root, self.graph).eval()
        graph_module.graph.eliminate_dead_code()
        graph_module.delete_all_unused_submodules()
        graph_module.recompile()
        program = Program(
            graph_module=graph_module,
            stage=Stage.ANN,
            input_shape=sizes_of(self.image, self.batch)[1:],
            input_dtype=self.image.meta["val"].dtype,
            sources=tuple(self.sources.items()),
        )
        program.graph_module.requires_grad_(False)
        return program

    def _find_image(self) -> fx.Node:
        signature = self.exported.graph_signature
        names = [s.arg.name for s in signature.input_specs if s.kind is InputKind.USER_INPUT]
        nodes = [node for name, node in self.inputs.items() if name in names]
        if len(nodes) != 1:
            raise InputError(f"the model takes {len(nodes)} inputs ({', '.join(names)}); give one that takes one image")
        value = nodes[0].meta.get("val")
        if isinstance(value, Tensor):
            take_as_floats(self.source, nodes[0])
            value = nodes[0].meta["val"]
        if not isinstance(value, Tensor) or not value.dtype.is_floating_point:
            raise InputError(f"the model's input '{names[0]}' is no tensor of numbers; give a model that takes images")
        if any(not isinstance(size, int) for size in value.shape[1:]):
            raise InputError(f"the model's input has shape {tuple(value.shape)}; export it with only the batch dynamic")
        return nodes[0]

    def _logits(self, output: fx.Node) -> fx.Node:
        value = self.values.get(output)
        if dtype_of(output) != self.dtype:
            raise InputError(
                f"the model's output is {str(dtype_of(output)).removeprefix('torch.')}, and its input "
                f"{str(self.dtype).removeprefix('torch.')}; return the logits in the type of the input"
            )
        if not isinstance(value, fx.Node):
            raise InputError("the model's output does not depend on its input")
        layout = layout_of(output)
        if not layout.is_plain:
            shape = [str(size) for size in sizes_of(output, self.batch)]
            folded = layout.outer * layout.inner
            shape[layout.axis] = "batch" if folded == 1 else f"{folded} * batch"
            raise InputError(
                f"the model's output has shape ({', '.join(shape)}); a classifier returns (batch, classes): give the "
                "batch an axis of its own, the first, or name another output with --output-name if there is one"
            )
        return value

    def _visit(self, node: fx.Node) -> None:
        name, value = operator_name(node), node.meta.get("val")
        inputs = node.all_input_nodes
        if any(source in self.broken for source in inputs):
            self.broken.add(node)
        elif isinstance(value, (int, torch.SymInt)) and not isinstance(value, bool):
            self._note_number(node, value)
        elif "getitem" in str(node.target):
            self._guarded(node, self._item)
        elif name.startswith(IGNORED) or not isinstance(value, (Tensor, list, tuple)):
            return
        elif all(source in self.constants or source in self.numbers for source in inputs):
            self._guarded(node, self._fold)
        else:
            self._guarded(node, self._lift)

    def _guarded(self, node: fx.Node, visit: Callable[[fx.Node], None]) -> None:
        """Visit a node; note a refusal as a problem and go on behind it, so that every problem is listed."""
        try:
            visit(node)
        except Refusal as refusal:
            where = describe_source(node)
            at = f" at {where}" if where else ""
            part = f"in its {str(node.target).removesuffix('.default')}, " if "written" in node.meta else ""
            self.problems[node] = f"{written_as(node)}{at}: {part}{refusal}"
            self._stand_in(node)

    def _stand_in(self, node: fx.Node) -> None:
        """Check the calls after a rejected one too, if the batch is the first axis of its result."""
        value, image = node.meta["val"], self.values[self.image]
        assert isinstance(image, fx.Node)
        first = value if isinstance(value, Tensor) else value[0]
        batch = str(self.image.meta["val"].shape[0])
        if dtype_of(node) != self.dtype or not first.shape or str(first.shape[0]) != batch:
            self.broken.add(node)
            return
        self.values[node] = image if isinstance(value, Tensor) else [image] * len(value)

    def _note_number(self, node: fx.Node, value: int | torch.SymInt) -> None:
        """Keep a size, as constants need it."""
        size = size_for_one_row(value)
        if size is not None:
            self.numbers[node] = size

    def _lift(self, node: fx.Node) -> None:
        name = operator_name(node)
        full_name = full_operator_name(node)
        if full_name in REFUSED:
            raise Refusal(REFUSED[full_name])
        own = self.extra.get(full_name)
        if own is None and not full_name.startswith(("aten::", "prims::")):
            raise Refusal(
                f"{full_name} belongs to another library; write it with operators of PyTorch, or define its conversion "
                "(extra_operators of convert)"
            )
        handler = own.lift if own else HANDLERS.get(name, elementwise)
        first = next((layout_of(n) for n in node.all_input_nodes if n in self.values), PLAIN)
        aware = own.any_layout if own else name in AWARE or name not in HANDLERS
        in_parts = not first.is_plain and not aware
        if in_parts and not first.has_parts:
            raise Refusal("an earlier call moved the batch axis behind another one; put the batch first")
        call = Call(node, self.constants, self.batch, self.is_open, in_parts)
        call.check_numbers()
        types = {dtype_of(one) for one in (node, *(source for source in node.all_input_nodes if source in self.values))}
        result = of_other_type(call, self.dtype) if own is None and types != {self.dtype} else handler(call)
        if in_parts:
            result = per_part(result)
        self._enter(node, name, result)
        if not isinstance(result, Constant):
            self.aliases.note(node, name, result, self.broken)

    def _enter(self, node: fx.Node, name: str, result: Result) -> None:
        if isinstance(result, Constant):
            self.constants[node] = result.value
        elif isinstance(result, Same):
            self.values[node] = self.values[result.node]
            node.meta["layout"] = layout_of(result.node)
        elif isinstance(result, Lifted):
            value = node.meta["val"]
            self._check_result(node, value if isinstance(value, Tensor) else value[0], self._layout(result))
            node.meta["layout"] = self._layout(result)
            self.values[node] = self._call(node, name, result)
        else:
            node.meta["layouts"] = [self._layout(part) for part in result]
            for value, layout in zip(node.meta["val"], node.meta["layouts"], strict=True):
                self._check_result(node, value, layout)
            self.values[node] = [self._call(node, name, part) for part in result]

    def _layout(self, lifted: Lifted) -> Layout:
        """Return the layout of a call's result; refuses where its inputs differ in theirs."""
        layouts = {layout_of(node) for node in _leaves(lifted)}
        if len(layouts) > 1:
            raise Refusal("its inputs hold the batch on different axes, so rows would depend on each other")
        return lifted.layout or layouts.pop()

    def _call(self, node: fx.Node, name: str, lifted: Lifted, is_last: bool = True) -> fx.Node:
        inputs = tuple(
            self._call(node, name, source, is_last=False) if isinstance(source, Lifted) else self.values[source]
            for source in lifted.inputs
        )
        if any(isinstance(value, list) for value in inputs):
            raise Refusal("it takes a list of tensors where one is expected")
        target = self._target(node, name)
        call = self.graph.create_node("call_module", target, inputs, {}, name=target)
        if is_last:
            call.meta = {"val": node.meta["val"], OTHER_TYPE: dtype_of(node) != self.dtype}
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
            node.meta["layout"] = source.meta.get("layouts", [PLAIN] * len(values))[index]  # type: ignore[union-attr]
            self.aliases.share(node, source, as_view=True)  # type: ignore[arg-type]
        elif isinstance(values, fx.Node) and index == 0:  # the other results of such a call are side products
            self.values[node] = values
            node.meta["layout"] = layout_of(source)  # type: ignore[arg-type]
            self.aliases.share(node, source)  # type: ignore[arg-type]
        elif source in self.constants:
            self.constants[node] = self.constants[source][index]  # type: ignore[index]
        elif node.users:
            raise Refusal("it uses the indices or another secondary output of a layer, which cannot be converted")

    def _fold(self, node: fx.Node) -> None:
        """Evaluate a call that depends on parameters only, once."""
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            raise Refusal("it draws random numbers; make them a buffer")
        if full_operator_name(node) in REFUSED:
            raise Refusal(REFUSED[full_operator_name(node)])
        Call(node, self.constants).check_numbers()
        target = self.constants.get(written(node))  # type: ignore[arg-type]
        if isinstance(target, Tensor) and target.untyped_storage().data_ptr() in self.weights:
            raise Refusal("it changes a parameter or buffer as the model runs; call model.eval() before it is exported")
        known: dict[fx.Node, Any] = {**self.constants, **self.numbers}
        arguments = fx.map_arg(node.args, lambda source: known[source])
        options = fx.map_arg(node.kwargs, lambda source: known[source])
        try:
            with torch.no_grad():
                self.constants[node] = node.target(*arguments, **options)  # type: ignore[operator]
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise Refusal(f"it cannot be computed from the parameters: {reason_of(error)}") from error

    def _check_result(self, node: fx.Node, value: Tensor, layout: Layout) -> None:
        try:
            sizes = sizes_of(value, self.batch)
        except ValueError as error:
            raise Refusal("its result has an axis other than the batch whose size depends on the input") from error
        if 0 in sizes:
            raise Refusal("its result is empty; leave it out")
        if len(sizes) <= layout.axis or sizes[layout.axis] != layout.outer * self.batch * layout.inner:
            raise Refusal("its result lacks the batch axis of its input, so rows would depend on each other")


def _before_casts(output: fx.Node, dtype: torch.dtype) -> fx.Node:
    """Return what a result of another floating-point type was cast from, if that is of the image's; else the result."""
    node = output
    while dtype_of(node) != dtype and node.op == "call_function" and operator_name(node) in CASTS:
        node = node.all_input_nodes[0]
    both = {dtype_of(output), dtype_of(node)}
    return node if dtype_of(node) == dtype and both <= {torch.float32, torch.float64} else output


def _leaves(lifted: Lifted) -> list[fx.Node]:
    """Return the exported nodes that a call and the calls before it read, except those that state their own layout."""
    if isinstance(lifted.module, ConstantRow):
        return []
    found = []
    for source in lifted.inputs:
        if isinstance(source, fx.Node):
            found.append(source)
        elif source.layout is None:
            found += _leaves(source)
    return found


def _constants(exported: ExportedProgram, inputs: Mapping[str, fx.Node]) -> dict[fx.Node, Tensor]:
    """Return the value of every placeholder that is a parameter, a buffer or a literal tensor."""
    values: dict[fx.Node, Tensor] = {}
    for spec in exported.graph_signature.input_specs:
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR) and spec.target:
            found = exported.state_dict.get(spec.target, exported.constants.get(spec.target))
            if isinstance(found, Tensor):
                values[inputs[spec.arg.name]] = found.detach()
    return values
