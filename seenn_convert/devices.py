"""Where a program can run: a device is tried before the work starts."""

import torch

from seenn_convert.errors import InputError, reason_of


def check_device(device: torch.device | str) -> None:
    """Raise InputError unless tensors can be put on ``device``, computed with, and read back."""
    try:
        float(torch.ones(1, device=device).sum())
    except Exception as error:  # each backend has its own way to say that it is not there
        raise InputError(
            f"device '{device}' cannot be used ({reason_of(error)}); use cpu or cuda (with a CUDA build of PyTorch)"
        ) from error
