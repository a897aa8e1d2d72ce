"""Writes docs/reference from the code: refusals, events, facts, commands, messages, statuses, settings, in its words.

Run as ``make docs``. The documentation tests hold the written pages equal to what the code says now.
"""

import ast
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import msgspec

from restante.core.status import Status
from tools import lists, stages

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
        if issubclass(each, msgspec.Struct) and each is not msgspec.Struct:
            found |= {field.name: field for field in _own_fields(each)}
    return list(found.values())


def _own_fields(kind: type) -> Iterator[Field]:
    [body] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    for node in body.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                written, meaning = _meaning(annotation)
                if not written.startswith("ClassVar"):
                    yield Field(name, written, None if value is None else ast.unparse(value), meaning)
            case _:
                pass


def _meaning(annotation: ast.expr) -> tuple[str, str]:
    """The type and the words of ``Annotated[type, "words"]``; without words, the type alone."""
    match annotation:
        case ast.Subscript(
            value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, ast.Constant(value=str(words)), *_])
        ):
            return ast.unparse(kind), words
        case _:
            return ast.unparse(annotation), ""


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
        "# Refusals\n\nA refusal is an answer: a rule said no, nothing changed, and the same request is refused again "
        "for as long as\nits ground stands. Its code never changes its meaning.\n\n"
        f"| code | rule |\n|---|---|\n{rows}\n"
    )


def catalogue(title: str, opening: str) -> Callable[[ModuleType], str]:
    """A page that lists the tagged values of a module."""

    def write(module: ModuleType) -> str:
        return _opening(title, opening) + "".join(_section(kind) for kind in kinds(module))

    return write


def _section(kind: type[msgspec.Struct]) -> str:
    tag = str(kind.__struct_config__.tag or kind.__name__)
    opening = f"\n## {tag}\n\n{_said(tag, inspect.cleandoc(kind.__doc__ or ''))}\n"
    rows = "".join(f"| `{field.name}` | {_cell(field.type)} | {_cell(field.default)} |\n" for field in fields(kind))
    return opening + (f"\n| field | type | if absent |\n|---|---|---|\n{rows}" if rows else "")


def documents(title: str, opening: str, names: tuple[str, ...]) -> Callable[[ModuleType], str]:
    """A page that lists the named values of a module, which carry no tag."""

    def write(module: ModuleType) -> str:
        return _opening(title, opening) + "".join(_section(getattr(module, name)) for name in names)

    return write


def _opening(title: str, words: str) -> str:
    return f"# {title}\n\n{textwrap.fill(words, 120, break_on_hyphens=False)}\n"


def statuses(module: ModuleType) -> str:
    """The page of the status vocabulary: what each stage and each event means to a program."""
    stage_rows = "".join(f"| {kind.__name__} | {_status(status)} |\n" for kind, status in module.STAGES.items())
    event_rows = "".join(
        f"| [`{kind.__struct_config__.tag}`](events.md#{kind.__struct_config__.tag}) | {_status(status)} |\n"
        for kind, status in module.EVENTS.items()
    )
    head = "| phase | {} | terminal |\n|---|---|---|---|\n"
    said = (
        "Every parcel and every event is shown with a phase, an actor and whether that is the end, so that nobody "
        "has to guess what a name means."
    )
    return _opening("Statuses", said) + (
        f"\n## Stages of a parcel\n\n| stage {head.format('who acts next')}{stage_rows}"
        f"\n## Events\n\n| event {head.format('who acted')}{event_rows}"
    )


def _status(status: Status) -> str:
    return f"{status.phase} | {status.actor} | {'yes' if status.is_terminal else ''}"


def settings(module: ModuleType) -> str:
    """The page of settings: each by the environment variable it is read from."""
    rows = "".join(
        f"| `{module.PREFIX}{each.name.upper()}` | {_cell(each.type)} | {_cell(each.default)} "
        f"| {_said(each.name, each.meaning)} |\n"
        for each in fields(module.Settings)
    )
    return (
        "# Settings\n\nWhat an operator may set in the environment of the hub, and what holds if nobody does.\n\n"
        f"| variable | type | if absent | meaning |\n|---|---|---|---|\n{rows}"
    )


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


def metrics(module: ModuleType) -> str:
    """The page of metrics: each with the question it answers and how many series it has at most."""
    said = (
        "What a hub and a worker show to Prometheus on the address that `RESTANTE_METRICS_BIND` names. A histogram "
        "stands with `_bucket`, `_sum` and `_count` after its name. The last column bounds the series of one program. "
        "Seconds are real ones, also where a demo's clock runs faster."
    )
    rows = "".join(
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} "
        f"| {_said(one.name, one.question)} | {_said(one.name, one.bound)} |\n"
        for one in module.METRICS
    )
    process = "".join(f"| `{name}` | {_said(name, question)} |\n" for name, question in module.PROCESS.items())
    return _opening("Metrics", said) + (
        f"\n| metric | kind | labels | question | series |\n|---|---|---|---|---|\n{rows}"
        f"\n## The process\n\n| metric | question |\n|---|---|\n{process}"
    )


def log(module: ModuleType) -> str:
    """The page of what programs write to their logs."""
    said = (
        "Every program writes one event a line to standard error: as a line of JSON, or as one for people if that is "
        "a terminal. Each has `at` (UTC), `level`, `event`, `program` and the fields named here; an exception adds "
        "`trace`, the kinds of what was raised and the places in the code. Fields hold ids and names of kinds: nothing "
        "of a person, no address, no query string. An `errand` is a task or timer of the outbox."
    )
    rows = "".join(
        f"| `{name}` | {note.level} | {', '.join(f'`{one}`' for one in note.fields)} | {_said(name, note.meaning)} |\n"
        for name, note in module.EVENTS.items()
    )
    return _opening("The log", said) + f"\n| event | level | fields | means |\n|---|---|---|---|\n{rows}"


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
    "stages.md": Page("restante.core.parcel", stages.page),
    "statuses.md": Page("restante.core.status", statuses),
    "session.md": Page(
        "restante.wire.session",
        catalogue(
            "Messages of a session",
            "What a source and its hub say to each other over WebSocket with TLS and certificates on both sides. "
            "The source dials. Each text frame is one JSON object whose `type` is the heading here. This is wire "
            "version 1.",
        ),
    ),
    "manifest.md": Page(
        "restante.wire.manifest",
        documents(
            "The manifest",
            "What a source may do: a document signed with Ed25519 over its canonical form (RFC 8785). It travels "
            "in the messages `manifest` and `manifest-fresh` of a [session](session.md).",
            ("Manifest", "Grant", "ListedCompartment", "Settings", "Difference", "Fresh"),
        ),
    ),
    "journal.md": Page(
        "restante.wire.journal",
        documents(
            "The journal",
            "What a source writes down and sends up in the message `journal` of a [session](session.md): entries "
            "in canonical form (RFC 8785), each hashed with SHA-256 over everything but its own hash. The kinds "
            "of entries are the [facts](facts.md).",
            ("Entry", "Clock"),
        ),
    ),
    "loopback.md": Page(
        "restante.edge.loopback",
        catalogue(
            "The loopback door of a source",
            "What the screen at a bank or counter says to its program, over a WebSocket on 127.0.0.1. The file "
            "`loopback.json` in the state folder, which its owner alone may read, names `port` and `token`; the "
            "address is `ws://127.0.0.1:<port>/<token>`. Each text frame is one request: JSON whose `type` is the"
            " heading here. Each is answered by one `status`, or by `not-done`. `touch-door` and `set-link` are "
            "for emulated banks.",
        ),
    ),
    "lists.md": Page("restante.carriers.lists.rules", lists.page),
    "settings.md": Page("restante.hub.settings", settings),
    "log.md": Page("restante.cli.log_events", log),
    "metrics.md": Page("restante.hub.metrics.catalogue", metrics),
}


def page(name: str) -> str:
    """The text of a page, from the code as it is now."""
    source = PAGES[name]
    return source.write(importlib.import_module(source.module))


def main() -> int:
    """Write the pages; answers 1 if something has no words to it."""
    try:
        written = {name: page(name) for name in PAGES}
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
