"""What is told of a list: on the screen, as JSON, and as a file with a line for every row that was not simply taken."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from restante.carriers.lists.account import Account
from restante.carriers.lists.points import Judged
from restante.carriers.lists.reading import DELIMITERS
from restante.carriers.lists.rules import RULES, shown
from restante.carriers.lists.survey import Survey
from restante.cli.ending import Stop

FIELDS: Final = ("row", "outcome", "rule", "field", "value", "said")
LINES: Final = frozenset({".jsonl", ".ndjson"})


class Report:
    """The file with a line for every row that was rejected, warned of, refused, found there already or brought in."""

    def __init__(self, file: TextIO | None, *, lines: bool) -> None:
        self._file = file
        self._lines = lines
        self._writer = csv.writer(file) if file and not lines else None
        if self._writer:
            self._writer.writerow(FIELDS)

    def judged(self, row: Judged) -> None:
        """Every rule that a row breaks."""
        outcome = "rejected" if row.is_rejected else "warned"
        for one in row.findings:
            self.told(row.number, outcome, one.rule, field=one.field, value=one.value, said=RULES[one.rule].said)

    def told(self, row: int, outcome: str, rule: str, *, field: str = "", value: str = "", said: str = "") -> None:
        """What became of a row."""
        values = (row, outcome, rule, field, value, said)
        if self._writer:
            self._writer.writerow([one if isinstance(one, int) else _inert(one) for one in values])
        elif self._file:
            self._file.write(json.dumps(dict(zip(FIELDS, values, strict=True)), ensure_ascii=False) + "\n")


@contextmanager
def report_at(path: Path | None) -> Iterator[Report]:
    """A report written to a file; to none without a path."""
    if path is None:
        yield Report(None, lines=False)
        return
    if path.suffix not in LINES | {".csv"}:
        raise Stop("report-form", field="--report", rule="A report is a .csv, .jsonl or .ndjson file.")
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield Report(file, lines=path.suffix in LINES)
    except OSError as lost:
        rule = f"The report cannot be written: {lost.strerror}."
        raise Stop("report-unwritten", field=str(path), rule=rule) from lost


def _inert(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "@"} or (text[:1] == "-" and not text[1:2].isdigit()) else text


def progress() -> Progress:
    """A bar on standard error, which shows on a terminal only."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def show_found(console: Console, found: Survey) -> None:
    """What was found out about the file, with the reasons."""
    form, columns = found.form, found.columns
    table = Table("what", "found", "why", title="The file", title_justify="left")
    table.add_row("form", form.shape, escape(form.why if form.shape != "csv" else ""))
    table.add_row("encoding", form.encoding.name, escape(form.encoding.why))
    if form.delimiter:
        table.add_row("delimiter", DELIMITERS.get(form.delimiter, escape(form.delimiter)), escape(form.why))
    table.add_row("columns", escape(columns.dialect), escape(columns.why))
    pairs = ", ".join(f"{shown(column)} = {field}" for field, column in columns.by_field.items())
    table.add_row("", "", escape(pairs))
    if columns.unused:
        table.add_row("not used", "", escape(", ".join(map(shown, columns.unused))))
    table.add_row("country", found.country or "-", escape(found.country_why))
    table.add_row("rows", f"{found.rows:,}", f"SHA-256 {found.digest[:16]}…")
    console.print(table)


def show_account(console: Console, account: Account) -> None:
    """Rows by outcome, and the rules they broke with examples."""
    console.print(
        f"[bold]{account.rows:,}[/bold] rows: {account.accepted:,} can be brought in"
        f" ({account.warned:,} of them with a warning), {account.rejected:,} are rejected."
    )
    for rejects, title in ((True, "Rejected, by rule (a row may break several)"), (False, "Warnings")):
        if broken := account.rules(rejects=rejects):
            console.print(_rules(account, broken, title))


def _rules(account: Account, broken: list[tuple[str, int]], title: str) -> Table:
    table = Table("rule", "rows", "what it says", "examples", title=title, title_justify="left")
    for rule, count in broken:
        examples = "\n".join(
            f"row {row}, {one.field}" + (f": {one.value}" if one.value else "") for row, one in account.examples[rule]
        )
        table.add_row(rule, f"{count:,}", RULES[rule].said, escape(examples))
    return table


def as_plain(found: Survey, account: Account, **more: Any) -> dict[str, Any]:
    """The whole report for a program to read."""
    form = found.form
    return {
        "file": {
            "sha256": found.digest,
            "form": form.shape,
            "encoding": {"name": form.encoding.name, "why": form.encoding.why},
            "delimiter": form.delimiter,
            "why": form.why,
            "dialect": found.columns.dialect,
            "columns": {column: field for field, column in found.columns.by_field.items()},
            "unused": list(found.columns.unused),
            "country": found.country,
        },
        **account.plain(),
        **more,
    }
