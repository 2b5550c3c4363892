"""The preprocessing of pretrained weights by their name, from timm or torchvision where they are installed."""

from importlib import import_module
from typing import Any

from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.errors import InputError, reason_of


def preprocessing_of_weights(name: str) -> Preprocessing:
    """Return what ``timm:NAME`` or ``torchvision:Weights.NAME`` says; nothing is downloaded.

    Raises:
        InputError: The library is unknown or not installed, it does not know the name, or its preprocessing cannot be
            expressed.
    """
    library, _, weights = name.partition(":")
    if library == "timm":
        config = _call(library, "timm", "get_pretrained_cfg", weights)
        if config is None:
            raise InputError(f"timm has no configuration for {weights!r}; see timm.list_pretrained()")
        return Preprocessing.from_timm(config)
    if library == "torchvision":
        return Preprocessing.from_torchvision(_call(library, "torchvision.models", "get_weight", weights).transforms())
    raise InputError(f"preprocessing {name!r} is neither timm:NAME nor torchvision:WEIGHTS")


def _call(library: str, module: str, function: str, weights: str) -> Any:
    try:
        look_up = getattr(import_module(module), function)
    except ImportError as error:
        raise InputError(
            f"the preprocessing of {weights!r} comes from {library}, which cannot be imported ({reason_of(error)}); "
            f"install it (pip install {library}), or give mean, std, resize and crop"
        ) from error
    try:
        return look_up(weights)
    except Exception as error:  # what a library raises for an unknown name is its own affair
        raise InputError(f"{library} does not know the weights {weights!r} ({reason_of(error)})") from error
