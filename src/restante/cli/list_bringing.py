"""Brings a list in: looks it through, judges its rows, tells, and only then, if wanted, sends them.

The file is read anew for each of these steps and its rows are let go one by one, so its length costs time, not memory.
"""

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Final, Literal, Protocol

import msgspec
from rich.console import Console

from restante.carriers.lists.account import Account
from restante.carriers.lists.columns import Kind
from restante.carriers.lists.dialects import PARCELS, POINTS
from restante.carriers.lists.parcels import ParcelJudge
from restante.carriers.lists.points import DEFAULT_KIND, Ground, Judged, PointJudge
from restante.carriers.lists.reading import DELIMITERS, Open, Record, records
from restante.carriers.lists.survey import Survey, Wish, survey
from restante.cli.calling import Calls, calling
from restante.cli.ending import REFUSED, Stop, say, stop
from restante.cli.list_report import Report, as_plain, progress, report_at, show_account, show_found
from restante.cli.list_sending import ENDS_ALL, Bulk, Standing, send_point, standing
from restante.core.refusals import Refusal

EVERY: Final = 1024

Delimiter = Literal["comma", "semicolon", "tab", "bar"]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks of a list."""

    file: Path
    yes: bool
    json: bool
    report: Path | None
    encoding: str = ""
    delimiter: Delimiter | None = None
    column: tuple[str, ...] = ()
    country: str = ""
    zone: str = ""
    kind: str = DEFAULT_KIND
    api: str = ""
    key_file: Path | None = None


class Judge(Protocol):
    """Judges the rows of one list: points or parcels."""

    def judge(self, record: Record) -> Judged:
        """What becomes of a row."""
        ...


class Bringing:
    """One list on its way in. What it is about is told apart by ``kind`` alone."""

    def __init__(self, asked: Asked, kind: Kind, console: Console) -> None:
        self._asked = asked
        self._kind = kind
        self._console = console
        self._stat = _stat(asked.file)
        self._open: Open = lambda: _opened(asked.file)

    def bring(self) -> int:
        """The exit code: 0 only if every row was taken or could be."""
        found, sent = self._look_through(), False
        with report_at(self._asked.report) as report:
            there, silence = self._there()
            account = self._judge(found, there, report)
            self._tell(found, account, silence)
            if found.broken is None and account.accepted and self._wanted(account, there) and there is not None:
                with calling(self._asked.api, self._asked.key_file) as hub:
                    self._send(hub, found, account, there=there, report=report)
                sent = True
        if self._asked.json:
            say(as_plain(found, account, compared=not silence, broken=_told(found.broken), sent=sent))
        return REFUSED if found.broken or account.rejected or account.outcomes["refused"] else 0

    def _look_through(self) -> Survey:
        overrides = dict(_override(one) for one in self._asked.column)
        delimiter = next((sign for sign, name in DELIMITERS.items() if name == self._asked.delimiter), "")
        wish = Wish(self._asked.encoding, delimiter, overrides, self._asked.country.upper())
        with progress() as bar:
            task = bar.add_task("Looking through", total=None)
            found = survey(self._open, self._kind, wish, tell=lambda rows: bar.update(task, completed=rows))
        if isinstance(found, Refusal):
            raise stop(found)
        return found

    def _there(self) -> tuple[Standing | None, str]:
        """The network's points; without them, why: a dry run does without a network."""
        try:
            with calling(self._asked.api, self._asked.key_file) as hub:
                return standing(hub), ""
        except Stop as silent:
            if self._asked.yes or silent.code not in ENDS_ALL:
                raise
            return None, silent.rule

    def _judge(self, found: Survey, there: Standing | None, report: Report) -> Account:
        account = Account()
        for row in self._judged(found, there, "Judging"):
            account.add(row)
            report.judged(row)
            if self._kind is POINTS and there is not None and not row.is_rejected:
                account.outcomes["exists" if there.same(row.body) else "new"] += 1
        return account

    def _judged(self, found: Survey, there: Standing | None, doing: str) -> Generator[Judged]:
        if _stat(self._asked.file) != self._stat:
            raise Stop("file-changed", field=str(self._asked.file), rule="The file was changed while it was read.")
        judge = self._judge_of(found, there)
        with progress() as bar:
            task = bar.add_task(doing, total=found.rows)
            for number, record in enumerate(records(self._open, found.form), 1):
                if isinstance(record, Refusal):
                    return
                if number % EVERY == 0:
                    bar.update(task, completed=number)
                yield judge.judge(record)

    def _judge_of(self, found: Survey, there: Standing | None) -> Judge:
        if self._kind is PARCELS:
            return ParcelJudge(found.columns, there.known() if there else None)
        asked = self._asked
        ground = Ground(asked.country.upper(), found.country, found.bulk, asked.zone, asked.kind)
        return PointJudge(found.columns, ground)

    def _tell(self, found: Survey, account: Account, silence: str) -> None:
        if self._asked.json:
            return
        show_found(self._console, found)
        show_account(self._console, account)
        if self._kind is POINTS and not {"hours", "always"} & found.columns.by_field.keys():
            self._console.print("No column says when points are open: they would be shown as open day and night.")
        if silence:
            self._console.print(f"Not compared with a network: {silence}", markup=False)
        elif self._kind is POINTS:
            there = account.outcomes
            self._console.print(f"{there['new']:,} are new to the network, {there['exists']:,} are in it already.")
        if found.broken is not None:
            self._console.print(
                f"{found.broken.code} ({found.broken.field}): {found.broken.rule} {found.broken.detail}", markup=False
            )
            self._console.print(f"Only {found.rows:,} rows could be read, so nothing is brought in.")

    def _wanted(self, account: Account, there: Standing | None) -> bool:
        """Whether to go on: told so, or asked on a terminal once the list was compared with the network."""
        if self._asked.yes:
            return True
        if self._asked.json:
            return False
        if there is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
            self._console.print("This was a dry run. Bring them in with --yes.")
            return False
        try:
            answer = self._console.input(f"Bring {account.accepted:,} {self._kind.name} in? [y/N] ", markup=False)
        except EOFError:
            return False
        return answer.strip().lower() == "y"

    def _send(self, hub: Calls, found: Survey, account: Account, *, there: Standing, report: Report) -> None:
        account.outcomes.clear()
        try:
            with closing(self._judged(found, there, "Bringing in")) as judged:
                rows = (row for row in judged if not row.is_rejected)
                for outcome in self._outcomes(hub, rows, digest=found.digest, there=there, report=report):
                    account.outcomes[outcome] += 1
        finally:  # also where the hub fell silent: run again, it goes on from there
            if not self._asked.json:
                done, bare = account.outcomes, account.outcomes["made-without-room"]
                self._console.print(
                    f"{done['made'] + bare:,} {self._kind.name} brought in"
                    + (f" ({bare:,} without a promise of room)" if bare else "")
                    + f", {done['exists']:,} were there already, {done['refused']:,} refused by the network."
                )

    def _outcomes(
        self, hub: Calls, rows: Iterator[Judged], *, digest: str, there: Standing, report: Report
    ) -> Iterator[str]:
        if self._kind is POINTS:
            yield from (send_point(hub, row, there, digest=digest, report=report) for row in rows)
            return
        bulk = Bulk(hub, digest, report)
        for row in rows:
            yield from bulk.add(row)
        yield from bulk.flush()


def bring(asked: Asked, kind: Kind, console: Callable[[], Console] = Console) -> None:
    """Bring a list in, and leave with 1 if a row was kept out."""
    if (code := Bringing(asked, kind, console()).bring()) != 0:
        sys.exit(code)


def _stat(file: Path) -> tuple[int, int, int]:
    """What tells a file from another one, or from itself when it was changed."""
    try:
        told = file.stat()
    except OSError as missing:
        raise _missing(file, missing) from missing
    if not file.is_file():
        raise Stop("file-missing", field=str(file), rule="The file cannot be read: it is no regular file.")
    return told.st_ino, told.st_size, told.st_mtime_ns


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as missing:
        raise _missing(file, missing) from missing


def _missing(file: Path, missing: OSError) -> Stop:
    return Stop("file-missing", field=str(file), rule=f"The file cannot be read: {missing.strerror}.")


def _override(text: str) -> tuple[str, str]:
    column, sign, field = text.rpartition("=")
    if not sign or not column:
        raise Stop(
            "column-malformed", field="--column", rule="A column is named as COLUMN=FIELD, or COLUMN= to skip it."
        )
    return column, field


def _told(broken: Refusal | None) -> dict[str, str] | None:
    if broken is None:
        return None
    return {"code": broken.code, "field": broken.field, "rule": broken.rule, "detail": broken.detail}
