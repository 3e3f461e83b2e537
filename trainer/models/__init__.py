"""The models, each one class in one file of this folder, found by its name."""

from __future__ import annotations

import inspect
import pkgutil
from functools import cache
from importlib import import_module

from nodes.errors import ModelError
from trainer.network import Network


@cache
def _models() -> dict[str, type[Network]]:
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    classes = (c for m in modules for _, c in inspect.getmembers(m, inspect.isclass) if c.__module__ == m.__name__)
    return {c.name: c for c in classes if issubclass(c, Network) and "name" in vars(c)}


def model_names() -> tuple[str, ...]:
    """List the names of all models, sorted."""
    return tuple(sorted(_models()))


def find_model(name: str) -> type[Network]:
    """Return the class of a model by its name. Raises ModelError, which lists the names, if there is none."""
    try:
        return _models()[name]
    except KeyError:
        raise ModelError(f"no model is called '{name}'", remedy=f"Choose one of: {', '.join(model_names())}") from None
