"""Resolve's Python API as its stubs have it: every call of a script is bound against the published signature."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from importlib.metadata import files
from typing import Any

# The stubs leave these empty; this is what the documentation of Fusion's scripting has of what we use.
FUSION = """
class Fusion:
    def GetPrefs(self, name: str = None): ...
    def SetPrefs(self, name: str, value=None): ...
    def SavePrefs(self, filename: str = None): ...
    def MapPath(self, path: str) -> str: ...
    def GetVersion(self): ...
    def GetAttrs(self): ...
class FusionComp:
    def AddTool(self, id: str, xpos: float = None, ypos: float = None): ...
    def FindTool(self, name: str): ...
    def GetToolList(self, selected: bool = None, type: str = None): ...
    def Lock(self): ...
    def Unlock(self): ...
    def StartUndo(self, name: str): ...
    def EndUndo(self, keep: bool = None): ...
    def GetAttrs(self): ...
    def MapPath(self, path: str) -> str: ...
class Tool:
    def SetInput(self, name: str, value, time: float = None): ...
    def GetInput(self, name: str, time: float = None): ...
    def ConnectInput(self, name: str, tool): ...
    def GetAttrs(self): ...
    def SetAttrs(self, attributes: dict): ...
    def Delete(self): ...
"""
# What the vendor's own page says is optional, where the stub's annotation does not say so.
OPTIONAL = {("MediaPool", "ImportTimelineFromFile", "importOptions"), ("Timeline", "DeleteClips", "Bool")}
PLAIN = {"str": str, "int": int, "float": (int, float), "bool": bool, "dict": dict}


class NotInTheAPI(AttributeError):
    """A method that Resolve does not document."""


@cache
def api() -> tuple[dict[str, dict[str, list[inspect.Signature]]], set[str]]:
    """Signatures by class and method, and the constants of the resolve object."""
    stub = next(f for f in files("fusionscript-stubs") or [] if f.name == "fusionscript.pyi")
    classes: dict[str, dict[str, list[inspect.Signature]]] = {}
    constants: set[str] = set()
    for text in (stub.locate().read_text("utf-8"), FUSION):
        for node in ast.parse(text).body:
            if not isinstance(node, ast.ClassDef):
                continue
            methods = classes.setdefault(node.name, {})
            for part in node.body:
                if isinstance(part, ast.FunctionDef):
                    methods.setdefault(part.name, []).append(_signature(node.name, part))
                elif isinstance(part, ast.AnnAssign) and node.name == "Resolve" and isinstance(part.target, ast.Name):
                    constants.add(part.target.id)
    assert len(classes) > 13 and sum(map(len, classes.values())) > 370 and "EXPORT_OTIO" in constants
    return classes, constants


def _signature(owner: str, function: ast.FunctionDef) -> inspect.Signature:
    arguments, told = function.args, []
    defaults = [None] * (len(arguments.args) - len(arguments.defaults)) + list(arguments.defaults)
    for argument, default in list(zip(arguments.args, defaults, strict=True))[1:]:
        annotation = ast.unparse(argument.annotation) if argument.annotation else ""
        optional = default is not None or annotation.startswith("Optional")
        optional = optional or (owner, function.name, argument.arg) in OPTIONAL
        empty = inspect.Parameter.empty
        kind = inspect.Parameter.POSITIONAL_ONLY  # Resolve takes none by name
        told.append(inspect.Parameter(argument.arg, kind, default=None if optional else empty, annotation=annotation))
    if arguments.vararg:
        told.append(inspect.Parameter(arguments.vararg.arg, inspect.Parameter.VAR_POSITIONAL))
    return inspect.Signature(told)


def bind(owner: str, method: str, arguments: tuple[Any, ...]) -> None:
    """Raise NotInTheAPI for a method that is not there, and TypeError for arguments that do not fit any of its signatures."""
    signatures = api()[0][owner].get(method)
    if signatures is None:
        raise NotInTheAPI(f"{owner}.{method} is not in Resolve's API")
    faults = []
    for signature in signatures:
        try:
            bound = signature.bind(*arguments)
            for name, value in bound.arguments.items():
                _check(name, signature.parameters[name].annotation, value)
            return
        except TypeError as e:
            faults.append(f"{signature}: {e}")
    raise TypeError(f"{owner}.{method}{arguments}: " + "; ".join(faults))


def _check(name: str, annotation: str, value: Any) -> None:
    plain = annotation.removeprefix("Optional[").removesuffix("]") if annotation.startswith("Optional") else annotation
    if value is None and annotation.startswith("Optional"):
        return
    wanted = PLAIN.get(plain) or (list if plain.startswith("List[") else None)
    if plain.endswith(("Options", "Info")):
        wanted = dict
    if wanted is not None and (not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool)):
        raise TypeError(f"{name} is no {plain}: {value!r}")


class Handle:
    """What a script holds: a thing of the host, with nothing but the methods of its class in the API."""

    def __init__(self, thing: Any) -> None:
        self.__dict__["thing"] = thing

    @property
    def owner(self) -> str:
        return str(type(self.__dict__["thing"]).__name__)

    def __getattr__(self, name: str) -> Any:
        thing = self.__dict__["thing"]
        if self.owner == "Resolve" and name in api()[1]:
            return name.lower()  # which number it is, nobody says
        if name not in api()[0][self.owner]:
            raise NotInTheAPI(f"{self.owner}.{name} is not in Resolve's API")
        method = getattr(thing, name, None)
        if method is None:
            raise NotImplementedError(f"the test host has no {self.owner}.{name} yet")

        def call(*arguments: Any) -> Any:
            bind(self.owner, name, arguments)
            thing.host.calls.append((self.owner, name))
            return wrapped(method(*map(unwrapped, arguments)))

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        raise NotInTheAPI(f"{self.owner}.{name} cannot be set")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and other.__dict__["thing"] is self.__dict__["thing"]

    def __hash__(self) -> int:
        return id(self.__dict__["thing"])


def wrapped(value: Any) -> Any:
    """A value of the host as a script gets it."""
    if isinstance(value, list):
        return [wrapped(one) for one in value]
    if isinstance(value, dict):
        return {key: wrapped(one) for key, one in value.items()}
    return Handle(value) if type(value).__name__ in api()[0] else value


def unwrapped(value: Any) -> Any:
    if isinstance(value, list):
        return [unwrapped(one) for one in value]
    if isinstance(value, dict):
        return {key: unwrapped(one) for key, one in value.items()}
    return value.__dict__["thing"] if isinstance(value, Handle) else value
