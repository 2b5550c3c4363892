"""What a module must be before it can be traced, and what PyTorch's refusals mean for the user."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from seenn_convert.errors import InputError, reason_of
from seenn_convert.frontend.torch.fake_quantise import observes

_CANNOT = "the model cannot be traced by torch.export: "
_MEANINGS = (
    (
        "data-dependent",
        "its code branches on numbers that it computes from the image (if, while, .item()); choose with torch.where",
    ),
    ("numpy", "its code leaves PyTorch for numpy; use PyTorch's functions from the image to the logits"),
)
"""What is found in a message of torch.export, and what it means."""


def check_module(module: nn.Module) -> None:
    """Raise InputError if a module is scripted, quantised, not initialised, elsewhere, or in training mode."""
    problems: tuple[tuple[str, Callable[[nn.Module], bool]], ...] = (
        (
            "has parts compiled by torch.jit ({}), which cannot be read; give the nn.Module that they were made from",
            lambda child: isinstance(child, torch.jit.ScriptModule),
        ),
        (
            "has quantised layers ({}), which cannot be read; convert the model as it was before it was quantised",
            lambda child: ".quantized" in type(child).__module__,
        ),
        (
            "has layers without weights ({}), which are made by the first image; run it once and load its weights",
            lambda child: any(map(is_lazy, child.parameters(recurse=False))),
        ),
        (
            "has parameters without values, on the device meta ({}); load its weights",
            lambda child: any(value.is_meta for value in child.parameters(recurse=False)),
        ),
        (
            "has parameters on another device than the CPU ({}), where it is read; call model.cpu()",
            lambda child: any(value.device.type != "cpu" for value in child.parameters(recurse=False)),
        ),
        (
            "has fake quantisation whose scale follows the images ({}); fix it with "
            "model.apply(torch.ao.quantization.disable_observer)",
            observes,
        ),
        ("is in training mode ({}); call model.eval() before converting it", lambda child: child.training),
    )
    for sentence, has_it in problems:
        found = [name or type(module).__name__ for name, child in module.named_modules() if has_it(child)]
        if found:
            shown = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
            raise InputError(f"the model {sentence.format(shown)}")


def why_it_fails(error: BaseException, dtype: torch.dtype) -> str | None:
    """Return what a model's own error means where its text does not say; None where it does."""
    if "without overflow" in str(error):
        kind = str(dtype).removeprefix("torch.")
        return f"the model's code has a number that {kind} cannot hold; use a smaller one, or infinity"
    return None


def why_not_traced(error: BaseException) -> str:
    """Return one sentence on a module that torch.export does not take."""
    text = str(error)
    meaning = next((meaning for part, meaning in _MEANINGS if part in text), None)
    return _CANNOT + (meaning or f"{reason_of(error)}; change that call, or give the model as an .onnx file")
