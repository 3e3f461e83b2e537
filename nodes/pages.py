"""Pages for people, whole in one file: jinja templates that lie beside the code that fills them."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


@cache
def template(package: str, name: str) -> Template:
    """The template of this name in a package's folder: all that is put into it is escaped, and to name what is not there is an error."""
    environment = Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["css"] = css_string
    return environment.get_template(name)


def css_string(text: str) -> str:
    """Any text as it may stand between quotes in a style sheet, in which HTML's own escapes mean nothing."""
    return "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in text)
