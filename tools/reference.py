"""Writes docs/reference from the code: every refusal, event, fact, command and setting, in the code's own words.

Run as ``make docs``. The documentation tests hold the written pages equal to what the code says now.
"""

import ast
import importlib
import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import msgspec

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"


class Undocumented(Exception):
    """Something that people meet has no words to it."""


class Field(NamedTuple):
    """One field of a value: how it is written in the source, and its description if it has one."""

    name: str
    type: str
    default: str | None
    meaning: str


def fields(kind: type) -> list[Field]:
    """The fields of a class and of those it builds on, the innermost first."""
    found: dict[str, Field] = {}
    for each in reversed(kind.__mro__):
        if each.__module__.startswith("restante"):
            found |= {field.name: field for field in _own_fields(each)}
    return list(found.values())


def _own_fields(kind: type) -> Iterator[Field]:
    [body] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    for node, following in zip(body.body, [*body.body[1:], None], strict=True):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value) if _is_field(annotation):
                default = None if value is None else ast.unparse(value)
                yield Field(name, ast.unparse(annotation), default, _words_below(following))
            case _:
                pass


def _is_field(annotation: ast.expr) -> bool:
    return not ast.unparse(annotation).startswith("ClassVar")


def _words_below(node: ast.stmt | None) -> str:
    match node:
        case ast.Expr(value=ast.Constant(value=str(words))):
            return " ".join(words.split())
        case _:
            return ""


def kinds(module: ModuleType) -> list[type[msgspec.Struct]]:
    """Every tagged value the module itself defines, in the order of its source."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and value.__module__ == module.__name__
        and value.__struct_config__.tag is not None
        and not value.__subclasses__()
    ]


def refusals(module: ModuleType) -> str:
    """The page of refusal codes."""
    codes: dict[str, str] = module.CODES
    rows = "\n".join(f"| `{code}` | {_said(code, rule)} |" for code, rule in sorted(codes.items()))
    return (
        "# Refusals\n\nA refusal is an answer: a rule said no, nothing was changed, and the same request is refused again "
        "for as long as\nits ground stands. Its code never changes its meaning.\n\n"
        f"| code | rule |\n|---|---|\n{rows}\n"
    )


def catalogue(title: str, opening: str) -> Callable[[ModuleType], str]:
    """A page that lists the tagged values of a module."""

    def page(module: ModuleType) -> str:
        return f"# {title}\n\n{opening}\n" + "".join(_section(kind) for kind in kinds(module))

    return page


def _section(kind: type[msgspec.Struct]) -> str:
    tag = str(kind.__struct_config__.tag)
    rows = "".join(f"| `{field.name}` | {_cell(field.type)} | {_cell(field.default)} |\n" for field in fields(kind))
    table = f"\n| field | type | if absent |\n|---|---|---|\n{rows}" if rows else ""
    return f"\n## {tag}\n\n{_said(tag, inspect.cleandoc(kind.__doc__ or ''))}\n{table}"


def settings(module: ModuleType) -> str:
    """The page of settings: every field of every value the module defines, with the words below it."""
    page = "# Settings\n\nWhat an operator may set, and what holds if nobody does.\n"
    for kind in vars(module).values():
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__:
            rows = "".join(
                f"| `{each.name}` | {_cell(each.type)} | {_cell(each.default)} | {_said(each.name, each.meaning)} |\n"
                for each in fields(kind)
            )
            opening = _said(kind.__name__, inspect.cleandoc(kind.__doc__ or ""))
            head = "| setting | type | if absent | meaning |\n|---|---|---|---|"
            page += f"\n## {kind.__name__}\n\n{opening}\n\n{head}\n{rows}"
    return page


def _said(name: str, words: str) -> str:
    if not words.strip() or words.startswith(f"{name}("):
        raise Undocumented(f"{name} has no words to it")
    return words.replace("|", "\\|")


def _cell(source: str | None) -> str:
    return "" if source is None else "`" + source.replace("|", "\\|") + "`"


class Page(NamedTuple):
    """One page of the reference and the module it is written from."""

    module: str
    write: Callable[[ModuleType], str]


PAGES: dict[str, Page] = {
    "refusals.md": Page("restante.core.refusals", refusals),
    "events.md": Page(
        "restante.core.events",
        catalogue("Events", "What the hub holds to have happened, in the order of its parcel's or point's lane."),
    ),
    "facts.md": Page(
        "restante.core.facts",
        catalogue("Facts", "What locker banks and counters write to their journals. A fact is adopted, never refused."),
    ),
    "commands.md": Page(
        "restante.core.commands",
        catalogue("Commands", "What the engine can be asked to do. Each is accepted whole or refused by a code."),
    ),
    "settings.md": Page("restante.hub.settings", settings),
}


def pages() -> dict[str, str]:
    """File name and text of every page whose module has been built."""
    built = {name: page for name, page in PAGES.items() if importlib.util.find_spec(page.module)}
    return {name: page.write(importlib.import_module(page.module)) for name, page in built.items()}


def main() -> int:
    """Write the pages; answers 1 if something has no words to it."""
    try:
        written = pages()
    except Undocumented as lack:
        print(f"Not written: {lack}.", file=sys.stderr)
        return 1
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, text in written.items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
        print(f"docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
