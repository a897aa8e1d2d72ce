"""The program of a locker bank or counter: enrol if need be, open the book, and run until told to stop."""

import asyncio
import logging
import os
import random
import signal
import ssl
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec

from restante.core.bank import SourceKind
from restante.core.refusals import Fault, Refusal
from restante.core.time import EPOCH
from restante.edge import link
from restante.edge.boards.emulated import EmulatedBoard, LiveBoard
from restante.edge.boards.steel import board_of
from restante.edge.book import Book, create_book, open_book
from restante.edge.drivers.evidence import AGREEING_SAMPLES
from restante.edge.drivers.port import LockBoard
from restante.edge.drivers.xor8a import Xor8aDriver, XorBoard, XorBus
from restante.edge.enrol import HubUnreachable, enrol, renew
from restante.edge.identity import Identity, load_identity, needs_renewal
from restante.edge.inputs import Woke
from restante.edge.keeping import KeptAgent, next_boot
from restante.edge.loopback_server import LoopbackServer, serving
from restante.edge.moments import arm
from restante.edge.running import Running, Wall
from restante.wire.enrol import parse_invitation
from restante.wire.journal import Extent

SOFTWARE: Final = "restante 0.1.0"
BOOK_FILE: Final = "book.sqlite"
IDENTITY_FOLDER: Final = "identity"
RENEWAL_SECONDS: Final = 3_600.0
RETRY_SECONDS: Final = 30.0

_LOG: Final = logging.getLogger("restante.edge")


class ConfigWrong(Fault):
    """The configuration of the source cannot be used."""

    blame = "bank"


class SourceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a source's program is told.

    ``board``: ``emulated:<doors>``, ``none`` (a counter), or ``xor8a:<port>:<address>x<locks>x<status bytes>,…`` as
    found at commissioning. ``invitation`` is needed until the source is enrolled. ``hub_url`` and ``source`` are for a
    plain line to a hub on this machine, without enrolment. ``max_pages`` bounds the book in pages of 4 KiB (0: disk).
    In a demo the time of day runs ``pace`` times faster from ``pace_from`` on.
    """

    state_directory: Path
    board: str = "emulated:8"
    kind: SourceKind = SourceKind.BANK
    invitation: str = ""
    hub_url: str = ""
    source: str = ""
    max_pages: int = 0
    pace: Annotated[float, msgspec.Meta(ge=1, le=100_000)] = 1.0
    pace_from: Annotated[datetime, msgspec.Meta(tz=True)] = EPOCH


def config_from(environ: Mapping[str, str]) -> SourceConfig:
    """The configuration in ``RESTANTE_STATE_DIRECTORY``, ``RESTANTE_BOARD`` and so on. Faults: `ConfigWrong`."""
    named = {name: environ.get(f"RESTANTE_{name.upper()}", "") for name in SourceConfig.__struct_fields__}
    given = {name: value for name, value in named.items() if value}
    try:
        return msgspec.convert(given, SourceConfig, strict=False, dec_hook=lambda kind, value: kind(value))
    except msgspec.ValidationError as wrong:
        raise ConfigWrong(str(wrong)) from wrong


async def run_source(config: SourceConfig, *, stop: asyncio.Event | None = None) -> None:
    """Run a source until ``stop``; its loopback door tells when it is ready.

    Faults: `ConfigWrong`, `LineUnsafe`, those of the identity and of enrolment, and those of `open_book`.
    """
    stop = stop or asyncio.Event()
    _make_folder(config.state_directory)
    arm(os.environ, config.state_directory)
    identity = None if config.hub_url else await _identity(config)
    source = config.source if identity is None else identity.name.source
    if not source:
        raise ConfigWrong("a plain line needs the name of the source")
    book = _book(config, source)
    board, live = _board(config)
    try:
        running = _prepared(config, book, board=board, identity=identity)
        for _ in range(AGREEING_SAMPLES):  # or the first parcel of the day would find no door that is known to be shut
            await running.look()
        await _work(running, LoopbackServer(running, live), config=config, stop=stop)
    finally:
        if board is not None:
            await board.close()
        book.close()


def take_in_book(state_directory: Path, old: Path) -> tuple[Extent, ...]:
    """Take the earlier logs of a replaced controller's book into the book of the one in its place, which sends them up.

    The program of this controller must not be running. Faults: `ConfigWrong` before it is enrolled, those of the
    identity, and those of `open_book` for both books.
    """
    arm(os.environ, state_directory)
    identity = load_identity(state_directory / IDENTITY_FOLDER)
    if identity is None:
        raise ConfigWrong("this controller is not enrolled yet: start it with its invitation first")
    source = identity.name.source
    with (
        closing(open_book(state_directory / BOOK_FILE, source=source)) as book,
        closing(open_book(old, source=source)) as other,
    ):
        return book.take_in(other)


def _prepared(config: SourceConfig, book: Book, *, board: LockBoard | None, identity: Identity | None) -> Running:
    agent = KeptAgent(book, kind=config.kind)

    def where() -> tuple[str, ssl.SSLContext | None]:
        if identity is None:
            return link.plain_address(config.hub_url)
        current = load_identity(identity.directory) or identity
        return link.address_of(current, is_clock_trusted=agent.state.installed is not None)

    running = Running(agent, book, board=board, where=where, wall=Wall(config.pace_from, config.pace))
    running.boot = next_boot(book)
    running.take(Woke(SOFTWARE))
    running.trim()
    return running


async def _work(running: Running, server: LoopbackServer, *, config: SourceConfig, stop: asyncio.Event) -> None:
    loops = [running.tick_for_ever(), running.look_for_ever(), _renew_for_ever(running, config)]
    tasks = [asyncio.create_task(loop) for loop in loops]
    stopping = asyncio.create_task(stop.wait())
    try:
        async with serving(server, config.state_directory):
            _LOG.info("ready", extra={"source": running.agent.state.source})
            # A counter has no doors to look at, so that loop ends at once; any other end is the program's.
            watched = [stopping, tasks[0], tasks[2], *([] if config.board == "none" else [tasks[1]])]
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (stopping, *tasks):
            task.cancel()
        await running.stop()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for one in ended:
        if isinstance(one, Exception):
            raise one


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as wrong:
        raise ConfigWrong(f"the state folder {folder} cannot be made or is none: {wrong.strerror}") from wrong


async def _identity(config: SourceConfig) -> Identity:
    """Who this source is; a machine out of its box tries its invitation until the hub has answered."""
    directory = config.state_directory / IDENTITY_FOLDER
    identity = load_identity(directory)
    while identity is None:
        invitation = parse_invitation(config.invitation)
        if isinstance(invitation, Refusal):
            raise ConfigWrong(f"not enrolled yet, and no invitation can be read: {invitation.rule}")
        try:
            answer = await enrol(invitation, directory, is_clock_trusted=False)
        except HubUnreachable as lost:
            _LOG.warning("enrolment-waits", extra={"fault": type(lost).__name__})
            await asyncio.sleep(random.uniform(1, RETRY_SECONDS))  # noqa: S311 - spreads attempts in time
            continue
        if isinstance(answer, Refusal):
            raise ConfigWrong(f"the hub refused the invitation: {answer.rule}")
        identity = answer
    return identity


async def _renew_for_ever(running: Running, config: SourceConfig) -> None:
    """Renew the certificate once two thirds of its life are over; a hub that does not answer is asked again later."""
    while True:
        identity = None if config.hub_url else load_identity(config.state_directory / IDENTITY_FOLDER)
        if identity is not None and needs_renewal(identity, running.agent.state.clock.at):
            try:
                answer = await renew(identity)
            except Fault as fault:
                _LOG.warning("certificate-not-renewed", extra={"fault": type(fault).__name__})
            else:
                said = answer.code if isinstance(answer, Refusal) else "done"
                _LOG.info("certificate-asked", extra={"answer": said})
        await asyncio.sleep(RENEWAL_SECONDS)


def _book(config: SourceConfig, source: str) -> Book:
    path = config.state_directory / BOOK_FILE
    if not path.exists():
        create_book(path, source=source).close()
    return open_book(path, source=source, max_pages=config.max_pages or None)


def _board(config: SourceConfig) -> tuple[LockBoard | None, LiveBoard | None]:
    family, _, rest = config.board.partition(":")
    try:
        if family == "emulated":
            live = LiveBoard(board_of(_at_least_one(int(rest))))
            return EmulatedBoard(live), live
        if family == "xor8a":
            port, _, boards = rest.rpartition(":")
            return Xor8aDriver(XorBus(path=port, boards=_xor_boards(boards))), None
    except ValueError as wrong:
        raise ConfigWrong(f"the board {config.board!r} cannot be read: {wrong}") from wrong
    if family == "none":
        return None, None
    raise ConfigWrong(f"no family of lock boards is called {family!r}")


def _at_least_one(doors: int) -> int:
    if doors < 1:
        raise ValueError("a bank has at least one door")
    return doors


def _xor_boards(text: str) -> tuple[XorBoard, ...]:
    boards = tuple(map(_xor_board, text.split(",")))
    if len({board.address for board in boards}) < len(boards):
        raise ValueError("two boards have one address")
    return boards


def _xor_board(text: str) -> XorBoard:
    address, locks, status_bytes = (int(number) for number in text.split("x"))
    return msgspec.convert({"address": address, "locks": locks, "status_bytes": status_bytes}, XorBoard)


async def _main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run_source(config_from(os.environ), stop=stop)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    with suppress(KeyboardInterrupt):
        asyncio.run(_main())
