"""What differs between the supported versions of PyTorch, 2.7 to 2.13."""

import inspect

from torch import nn
from torch.export import ExportedProgram


def runnable(exported: ExportedProgram) -> nn.Module:
    """Return the exported model as a module, without guards on the values it was traced with; 2.7 writes none."""
    has_guards = "check_guards" in inspect.signature(exported.module).parameters
    return exported.module(check_guards=False) if has_guards else exported.module()
