"""Bring spellings that mean the same to one form, so that later passes match one form only."""

import copy

from torch import fx

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import Affine, Reshape
from seenn_convert.passes.base import Pass


class Canonicalize(Pass):
    """One module a call site, one reshape for a chain of reshapes, one affine for a chain of affines.

    Before: ``x -> act -> conv -> act -> y``     After: ``x -> act -> conv -> act_1 -> y``
    Before: ``x -> reshape -> reshape -> y``     After: ``x -> reshape -> y``
    Before: ``x -> * 2 -> + 1 -> y``             After: ``x -> * 2 + 1 -> y``
    """

    def rewrite(self, draft: Draft) -> None:
        """Split shared modules first, then join chains."""
        seen: set[str] = set()
        for node, module in draft.modules_of():
            if str(node.target) in seen:
                draft.replace_module(node, copy.copy(module))
            seen.add(str(node.target))
        for node, module in draft.modules_of(Reshape, Affine):
            if isinstance(module, Reshape):
                _join_reshapes(draft, node)
            else:
                _join_affines(draft, node)


def _join_reshapes(draft: Draft, node: fx.Node) -> None:
    """Let a reshape of a reshape read the first one's input: only the last shape matters."""
    source = draft.source_of(node)
    if isinstance(draft.module_at(source), Reshape):
        node.replace_input_with(source, draft.source_of(source))
        draft.changed(node)


def _join_affines(draft: Draft, node: fx.Node) -> None:
    """Let ``b * (a * x + s) + r`` be one affine where nothing else reads the first."""
    source = draft.source_of(node)
    first, second = draft.module_at(source), draft.module_at(node)
    if isinstance(first, Affine) and isinstance(second, Affine) and len(source.users) == 1:
        joined = Affine(first.scale * second.scale, first.shift * second.scale + second.shift)
        draft.replace_module(node, joined)
        draft.bypass(source)
