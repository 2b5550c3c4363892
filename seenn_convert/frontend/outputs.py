"""Which of a model's results is the classifier: by name where there are several."""

from collections.abc import Sequence

from torch import Tensor, fx
from torch.export import ExportedProgram
from torch.export.graph_signature import OutputKind
from torch.utils import _pytree as pytree

from seenn_convert.errors import InputError
from seenn_convert.frontend.torch.aten import TRAINING


def output_names(exported: ExportedProgram) -> list[str]:
    """Return a name for each tensor that the model returns: keys of a mapping, positions in a tuple."""
    spec = exported.call_spec.out_spec
    if spec is None:
        return []
    leaves, _ = pytree.tree_flatten_with_path(pytree.tree_unflatten(list(range(spec.num_leaves)), spec))
    return [".".join(_key(part) for part in path) for path, _ in leaves]


def output_of(exported: ExportedProgram, graph: fx.Graph, name: str | None) -> fx.Node:
    """Return the node whose result is called ``name``, or the only one if no name is given.

    Raises:
        InputError: There are several results and no name, or none of that name, or the model changes its buffers.
    """
    if any(spec.kind is OutputKind.BUFFER_MUTATION for spec in exported.graph_signature.output_specs):
        raise InputError(f"the model changes its buffers as it runs: {TRAINING}")
    results = graph.output_node().args[0]
    assert isinstance(results, (list, tuple))
    return results[choose(output_names(exported), [isinstance(r, fx.Node) for r in results], name)]  # type: ignore[return-value]


def select(returned: object, name: str | None) -> Tensor:
    """Return the tensor called ``name`` among what a model returned, or the only one if no name is given.

    Raises:
        InputError: The choice is not clear; lists the names.
    """
    leaves, _ = pytree.tree_flatten_with_path(returned)
    names = [".".join(_key(part) for part in path) for path, _ in leaves]
    found: Tensor = leaves[choose(names, [isinstance(leaf, Tensor) for _, leaf in leaves], name)][1]
    return found


def choose(names: Sequence[str], usable: Sequence[bool], name: str | None) -> int:
    """Return the position of the result called ``name``; of the only tensor where no name is given.

    Raises:
        InputError: The choice is not clear, or several are named; lists the names.
    """
    tensors = [index for index, one in enumerate(usable) if one]
    listed = ", ".join(names[index] if index < len(names) else str(index) for index in tensors)
    if name is None:
        if len(tensors) != 1:
            raise InputError(
                f"the model returns {len(tensors)} tensors ({listed}); name the logits with --output-name "
                "(output_name in Python), or wrap the model to return them alone"
            )
        return tensors[0]
    found = [index for index in tensors if index < len(names) and names[index] == name]
    if not found and (not isinstance(name, str) or "," in name):
        raise InputError(
            f"one output is converted, and {_listed(name)} are several: exits at several depths of a network are not "
            f"kept, only those in time; name one (of {listed}), usually the last"
        )
    if not found:
        raise InputError(f"the model has no output named '{name}'; its outputs are: {listed or 'none'}")
    return found[0]


def _listed(names: object) -> str:
    """Return the names that were given where one is expected."""
    return ", ".join(map(str, names)) if isinstance(names, (list, tuple)) else str(names)


def _key(part: object) -> str:
    for attribute in ("key", "idx", "name"):
        if hasattr(part, attribute):
            return str(getattr(part, attribute))
    return str(part)
