"""`restante hub`, `worker`, `bank` and `counter`: the programs that run until they are told to stop."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from restante.cli.ending import Stop
from restante.cli.lifeline import hold_lifeline
from restante.cli.logs import lead_structlog, log_program

if TYPE_CHECKING:
    from restante.edge.bank import SourceConfig
    from restante.hub.programs import Spine

bank = App(name="bank", help="Run the program in a locker bank.")

STOP_SECONDS = 5.0

Json = Annotated[bool, Parameter(name="--json", negative="", help="Tell in one line of JSON when it is ready.")]
Invited = Annotated[
    str, Parameter(allow_leading_hyphen=True, help="Where to read the invitation: a file, or - for input.")
]
StateFolder = Annotated[Path, Parameter(name="--state", help="Folder for its key, its book and its certificate.")]


def hub(*, json: Json = False, with_worker: bool = False) -> None:
    """Run the hub: migrate the database, then serve the API and take calls from banks and counters.

    It is told what to do by RESTANTE_… variables (docs/reference/settings.md) and DATABASE_URL.

    Parameters
    ----------
    with_worker
        Work off timers, codes and notices in this process too; for small networks.
    """
    _run_served("hub", _hub(json=json, with_worker=with_worker))


def worker(*, json: Json = False) -> None:
    """Run a worker: timers, codes, notices, reconcilers. Any number may run beside each other."""
    _run_served("worker", _worker(json=json))


@bank.default
def run_bank(
    *,
    state: StateFolder,
    board: Annotated[str, Parameter(help="Lock boards: emulated:<doors>, or xor8a:<port>:<boards>.")] = "emulated:8",
    invitation: Invited = "",
    json: Json = False,
) -> None:
    """Run the program in a locker bank; it enrols by its invitation first and needs none afterwards."""
    _run("bank", _source(kind="bank", board=board, state=state, invitation=_invitation(invitation), json=json))


@bank.command(name="upload-book")
def upload_book(
    book: Annotated[Path, Parameter(help="The book of the replaced controller: book.sqlite from its disk.")],
    *,
    state: StateFolder,
) -> None:
    """Have what a replaced controller's disk still holds sent up by the controller in its place.

    Stop that one first, and copy the old file (with book.sqlite-wal, if there is one) to where it can be written. It
    goes up when the program is started again; what does not follow from what the hub has is set aside there.
    """
    from restante.edge.bank import take_in_book

    taken = take_in_book(state, book)
    if not taken:
        rule = "The book holds no earlier log epoch, or this controller has written in all of them."
        raise Stop("book-not-older", field="book", rule=rule)
    for one in taken:
        print(f"Log epoch {one.epoch}: {one.seq} entries, {one.seq - one.acked} never acknowledged.")


def counter(
    *,
    state: StateFolder,
    invitation: Invited = "",
    json: Json = False,
) -> None:
    """Run the program on a staffed counter: the same as a bank's, with shelf places in place of doors."""
    _run("counter", _source(kind="counter", board="none", state=state, invitation=_invitation(invitation), json=json))


def banks() -> None:
    """Run the many emulated banks that a list on standard input describes, in one process; for replays."""
    from restante.sim.radom_banks import run_banks

    _run("banks", run_banks(sys.stdin.buffer.read()))


def _run(name: str, program: Any, *, loops: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
    hold_lifeline()
    log_program(name)
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=loops) as runner:
        runner.run(program)


def _run_served(name: str, program: Any) -> None:
    """Run what many wait for on the quicker event loop, which a bank does without."""
    import uvloop

    lead_structlog()
    _run(name, program, loops=uvloop.new_event_loop)


async def _hub(*, json: bool, with_worker: bool) -> None:
    from restante.hub.engine import settle_memory
    from restante.hub.programs import running_hub, running_worker, showing_metrics

    async with _spine() as spine, AsyncExitStack() as stack:
        running = await stack.enter_async_context(running_hub(spine))
        mail = await stack.enter_async_context(running_worker(spine)) if with_worker else ""
        metrics = await stack.enter_async_context(showing_metrics(spine))
        settle_memory()
        told = {"api": running.api_url, "banks": running.hub_url, "key_file": str(running.key_file)}
        more = {"mail": mail, "metrics": metrics}
        _ready(told | {name: where for name, where in more.items() if where}, json=json)
        await _told_to_stop()


async def _worker(*, json: bool) -> None:
    from restante.hub.programs import running_worker, showing_metrics

    async with _spine() as spine, running_worker(spine) as mail, showing_metrics(spine) as metrics:
        _ready({"mail": mail} | ({"metrics": metrics} if metrics else {}), json=json)
        await _told_to_stop()


@asynccontextmanager
async def _spine() -> AsyncIterator["Spine"]:
    """The database running and up to date, and what both programs share."""
    from restante.cli.database import database
    from restante.hub.programs import open_spine
    from restante.hub.settings import read_settings
    from restante.sim.demo.pace import read_clock
    from restante.store.migrate import migrate_at

    settings, clock = read_settings(os.environ), read_clock(os.environ)
    with database(os.environ) as dsn:
        migrate_at(dsn)
        async with open_spine(dsn, settings, clock.now) as spine:
            yield spine


async def _source(*, kind: str, board: str, state: Path, invitation: str, json: bool) -> None:
    from restante.core.bank import SourceKind
    from restante.edge.bank import run_source

    config = _config(os.environ, state, board=board, kind=SourceKind(kind), invitation=invitation)
    stop = asyncio.Event()
    running = asyncio.create_task(run_source(config, stop=stop))
    told = asyncio.create_task(_told_to_stop())
    announced = asyncio.create_task(_announce(state, json=json))
    await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    announced.cancel()
    told.cancel()
    _, late = await asyncio.wait({running}, timeout=STOP_SECONDS)
    if late:  # it waits for a hub that does not answer, and has nothing under way
        running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def _config(environ: Mapping[str, str], state: Path, **given: Any) -> "SourceConfig":
    from restante.edge.bank import config_from

    named = {key: value for key, value in given.items() if value}
    told = {f"RESTANTE_{name.upper()}": str(value) for name, value in named.items()}
    return config_from({**environ, **told, "RESTANTE_STATE_DIRECTORY": str(state)})


async def _announce(state: Path, *, json: bool) -> None:
    """Say that the source is ready once its loopback door answers."""
    from restante.edge.person import Person

    async with Person(state) as person:
        status = await person.until(lambda _: True, seconds=3_600)
    _ready({"source": status.source, "state": str(state)}, json=json)


def _invitation(where: str) -> str:
    if not where:
        return ""
    if where == "-":
        return sys.stdin.readline().strip()
    try:
        return Path(where).read_text(encoding="utf-8").strip()
    except OSError as missing:
        raise Stop("invitation-missing", field="invitation", rule=f"{where}: {missing.strerror}") from missing
    except UnicodeDecodeError:
        raise Stop("invitation-missing", field="invitation", rule=f"{where} holds no text.") from None


def _ready(told: Mapping[str, str], *, json: bool) -> None:
    """One line once the program can be used."""
    if json:
        import json as documents

        print(documents.dumps({"ready": True, **told}), flush=True)
    else:
        print("Ready. " + "  ".join(f"{name}: {value}" for name, value in told.items()), flush=True)


async def _told_to_stop() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
