"""Command-line options from the definitions of nodes and from the requests of jobs: their help also tells unit and range."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from functools import cache, wraps
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin, get_type_hints

from cyclopts import Group, Parameter
from pydantic import BaseModel, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from host_bridge.jobs.footage import RATE_HELP
from nodes.definitions import NODES
from nodes.errors import UsageError
from nodes.text import counted

_ENGINE = "Run it in Faceplate's engine, which goes on when this terminal is closed; `faceplate jobs` lists it."

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
Json = Annotated[Flag, Parameter(help="Print the result as JSON.")]
InEngine = Annotated[Flag, Parameter(name="--engine", help=_ENGINE)]
Rate = Annotated[str | None, Parameter(name="--rate", help=RATE_HELP)]

F = TypeVar("F", bound=Callable[..., Any])
_GROUPS: dict[type[BaseModel], Group] = {
    node.parameters: Group(node.name, sort_key=10 + i) for i, node in enumerate(NODES)
}


def node_options(command: F) -> F:
    """Turn each argument of `command` that is a model, such as a node's parameters, into options."""
    hints = get_type_hints(command, include_extras=True)
    flat = {n: _flat(hint) for n, hint in hints.items() if isinstance(hint, type) and issubclass(hint, BaseModel)}
    command.__annotations__ = hints | flat
    return command


def request_options(
    *, argument: str = "", hidden: Sequence[str] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Turn the first argument of a command, a Request, into options, one for each field that is not `hidden`.

    argument: the field that is given without an option's name, all of a tuple's items one after the other. hidden: fields that keep their
    defaults, those of parameters by their path, as `settings.align`. The fields' descriptions are their help.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        request, *others = inspect.signature(command, eval_str=True).parameters.values()
        model = request.annotation
        fields = [
            _option(name, field, name == argument, _below(name, hidden))
            for name, field in model.model_fields.items()
            if name not in hidden
        ]
        many = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in fields)

        @wraps(command)
        def run(*given: Any, **options: Any) -> Any:
            own = {p.name: options.pop(p.name) for p in others if p.name in options}
            if given or many:
                options[argument] = given if many else given[0]
            try:
                asked = model(**options)
            except ValidationError as e:
                raise UsageError(faults(e), remedy=f"See faceplate {command.__name__} --help") from e
            return command(asked, **own)

        signature = inspect.Signature([*sorted(fields, key=lambda p: p.kind), *others])
        vars(run).update(
            __signature__=signature, __annotations__={p.name: p.annotation for p in signature.parameters.values()}
        )
        return run

    return decorate


def faults(error: ValidationError) -> str:
    """Describe validation errors by the names of the options."""
    return "; ".join(map(_fault, error.errors()))


def _fault(fault: ErrorDetails) -> str:
    names = [part for part in fault["loc"] if isinstance(part, str)]
    what = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "too_short":  # arguments without an option's name
        return f"give at least {counted(fault['ctx']['min_length'], _argument(names[-1]))}"
    if not names:
        return what
    given = "" if str(fault["input"]).isspace() else f" {fault['input']}"
    return f"--{names[-1].replace('_', '-')}{given}: {what}"


def _argument(field: str) -> str:
    """Metavariable of a field that takes several arguments: CLIP for clips."""
    return field.removesuffix("s").upper()


def explained(description: str, extra: object, metadata: list[Any]) -> str:
    """Return a parameter's help with its range and unit: `Opacity of the patch (0 to 1).`"""
    unit = str(extra.get("unit") or "") if isinstance(extra, dict) else ""
    low = next((m.ge for m in metadata if hasattr(m, "ge")), None)
    high = next((m.le for m in metadata if hasattr(m, "le")), None)
    allowed = "" if low is None or high is None else f"{low:g} to {high:g}"
    told = " ".join(part for part in (allowed, unit) if part)
    return f"{description.rstrip('.')}{f' ({told})' if told else ''}."


def option_of(name: str, extra: object) -> str:
    """Return a parameter's option name, without dashes."""
    told = extra.get("option") if isinstance(extra, dict) else None
    return str(told or _plain(name))


def title(model: type[BaseModel]) -> str:
    """Return the heading of a model's options: `Detect`, `Train`."""
    return model.__name__.removesuffix("Parameters").removesuffix("Settings")


def _option(name: str, field: FieldInfo, positional: bool, hidden: frozenset[str]) -> inspect.Parameter:
    """Convert a field of a request for cyclopts; a node's parameters become separate options."""
    default = inspect.Parameter.empty if field.is_required() else field.get_default()
    for model in (field.annotation, *get_args(field.annotation)):
        if isinstance(model, type) and issubclass(model, BaseModel):
            flat = _flat(model, hidden)
            return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=flat)
    spelt: str | tuple[()] = f"--{option_of(name, field.json_schema_extra)}"
    kind, value = inspect.Parameter.KEYWORD_ONLY, field.annotation
    if positional:
        many = get_origin(value) is tuple
        kind = inspect.Parameter.VAR_POSITIONAL if many else inspect.Parameter.POSITIONAL_ONLY  # type: ignore[assignment]
        spelt, value = (_argument(name), get_args(value)[0]) if many else ((), value)
        default = inspect.Parameter.empty if many else default
    option = Parameter(name=spelt, help=field.description, negative=(), show_default=type(default) is int)
    return inspect.Parameter(name, kind, default=default, annotation=Annotated[value, option])


def _below(name: str, paths: Iterable[str]) -> frozenset[str]:
    """Select the paths below a field, relative to it."""
    return frozenset(path.partition(".")[2] for path in paths if path.startswith(f"{name}."))


def _flat(model: type[BaseModel], hidden: frozenset[str] = frozenset()) -> Any:
    """Make each field of a model an option, under a heading."""
    group = _GROUPS.get(model) or Group(title(model), sort_key=5)
    spelling: dict[str, Any] = {"negative_iterable": (), "negative_none": (), "name_transform": _plain}
    return Annotated[_with_help(model, hidden), Parameter(name="*", group=group, consume_multiple=True, **spelling)]


@cache
def _with_help(model: type[BaseModel], hidden: frozenset[str]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        twin, kind = copy(field), cast(Any, field.annotation)
        twin.description = explained(field.description or "", field.json_schema_extra, field.metadata)
        spelling = option_of(name, field.json_schema_extra)
        if name in hidden:
            kind = Annotated[kind, Parameter(parse=False)]
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = _flat(kind, _below(name, hidden))
        elif spelling != _plain(name):
            kind = Annotated[kind, Parameter(name=f"--{spelling}")]
        fields[name] = (kind, twin)
    return create_model(model.__name__, __base__=model, __doc__=model.__doc__, **fields)


def _plain(name: str) -> str:
    """Spell an option or a choice as it is defined: `s3fd`, not `s3-fd`."""
    return name.lower().replace("_", "-")
