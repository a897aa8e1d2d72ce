"""Mail is handed over in a real SMTP conversation, and every way it can end has its own name."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest

from restante.hub.notices.address import Address
from restante.hub.notices.kinds import Ready
from restante.hub.notices.mail import Mail, compose, read_code
from restante.hub.notices.outcome import Bounced, HandedOver, MailRefusesUs, MailUnreachable, Unreachable
from restante.hub.notices.sink import Sink, open_sink
from restante.hub.notices.smtp import Post, SmtpSettings
from tests.hub.notices.samples import AINO, CODE, END, HEAD, NOW, PARCEL, RAUTATIENTORI
from tests.hub.notices.servers import HANG_UP, SILENCE, encrypted, make_certificate, scripted


def letter(notice_id: str = "n-1", code: str = CODE) -> Mail:
    """A mail about a parcel that waits."""
    return compose(Ready(PARCEL, RAUTATIENTORI, code, END), AINO, head=HEAD, notice_id=notice_id, now=NOW)


def post_to(
    port: int,
    *,
    tls: Literal["implicit", "required", "offered", "never"] = "offered",
    deadline_seconds: float = 5.0,
    connections: int = 4,
    ca_file: Path | None = None,
    mails_per_connection: int = 100,
    idle_seconds: float = 60.0,
) -> Post:
    """A post over a mail server on loopback."""
    ours = SmtpSettings(
        host="127.0.0.1",
        port=port,
        sender=HEAD.sender,
        tls=tls,
        deadline_seconds=deadline_seconds,
        connections=connections,
        ca_file=str(ca_file) if ca_file else None,
        mails_per_connection=mails_per_connection,
        idle_seconds=idle_seconds,
    )
    return Post(ours, clock=lambda: NOW)


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[Sink]:
    """An open sink."""
    async with await open_sink(tmp_path / "mail") as opened:
        yield opened


async def test_a_mail_handed_over_is_in_the_box_of_the_person(sink: Sink) -> None:
    """Given a mail, when it is sent, then the server has it, the person reads the code, and the instant is told."""
    async with post_to(sink.port) as post:
        outcome = await post.send(letter(), AINO.email)
    assert outcome == HandedOver(NOW, "<n-1@pohjola.example>")
    (received,) = sink.inbox("Aino@People.example")
    assert read_code(received.mail()) == CODE


async def test_an_unknown_mailbox_bounces_for_good_and_spoils_nothing(sink: Sink) -> None:
    """Given a mailbox that does not exist, then that mail bounces for good, and the next one goes out all the same."""
    async with post_to(sink.port, connections=1) as post:
        assert await post.send(letter(), Address("aino", "bounce.example")) == Bounced(NOW, 550, permanent=True)
        assert isinstance(await post.send(letter(), AINO.email), HandedOver)


@pytest.mark.parametrize("domain", ["slow.example", "later.example"])
async def test_a_busy_mailbox_bounces_for_now(sink: Sink, domain: str) -> None:
    """Given a mailbox that is busy, then the bounce says that it is not for good."""
    async with post_to(sink.port) as post:
        assert await post.send(letter(), Address("aino", domain)) == Bounced(NOW, 451, permanent=False)


async def test_a_mail_the_server_finds_too_large_bounces() -> None:
    """Given a server that refuses the text after DATA, then the mail bounced, and not the server failed."""
    async with scripted(text="552 too much") as (_, port), post_to(port) as post:
        assert await post.send(letter(), AINO.email) == Bounced(NOW, 552, permanent=True)


@pytest.mark.parametrize(
    "script",
    [
        {"hello": HANG_UP},
        {"hello": "421 overloaded"},
        {"EHLO": HANG_UP},
        {"MAIL": "451 not now"},
        {"MAIL": HANG_UP},
        {"RCPT": "421 closing"},
        {"RCPT": HANG_UP},
        {"DATA": HANG_UP},
        {"text": HANG_UP},
        {"text": "421 closing"},
        {"RCPT": "what"},
    ],
    ids=str,
)
async def test_a_server_that_fails_is_unreachable_for_now(script: dict[str, str]) -> None:
    """Given a server that closes or talks nonsense at any step, then no recipient is blamed and a retry may help."""
    async with scripted(**script) as (_, port), post_to(port) as post:
        outcome = await post.send(letter(), AINO.email)
    assert isinstance(outcome, Unreachable)
    assert isinstance(outcome.fault, MailUnreachable)
    assert outcome.fault.retryable


@pytest.mark.parametrize("script", [{"hello": "554 go away"}, {"MAIL": "550 no such sender"}], ids=str)
async def test_a_server_that_refuses_us_is_our_affair(script: dict[str, str]) -> None:
    """Given a server that refuses the hub itself, then no recipient is blamed and no retry is promised to help."""
    async with scripted(**script) as (_, port), post_to(port) as post:
        outcome = await post.send(letter(), AINO.email)
    assert isinstance(outcome, Unreachable)
    assert isinstance(outcome.fault, MailRefusesUs)
    assert (outcome.fault.retryable, outcome.fault.blame) == (False, "hub")


@pytest.mark.parametrize("silent", ["hello", "EHLO", "RCPT", "text"])
async def test_silence_has_a_deadline(silent: str) -> None:
    """Given a server that stops answering, then the post gives up after its deadline."""
    async with scripted(**{silent: SILENCE}) as (_, port), post_to(port, deadline_seconds=0.1) as post:
        outcome = await asyncio.wait_for(post.send(letter(), AINO.email), 5)
    assert isinstance(outcome, Unreachable)


async def test_nobody_listening_is_unreachable() -> None:
    """Given a port that nobody listens on, then the mail is not handed over, and nothing is raised."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with post_to(taken.getsockname()[1]) as post:
            assert isinstance(await post.send(letter(), AINO.email), Unreachable)


@pytest.mark.parametrize("script", [{"RCPT": "550 no {address}"}, {"RCPT": "421 no {address}"}], ids=str)
async def test_an_outcome_never_repeats_the_address(script: dict[str, str]) -> None:
    """Given a server whose answer repeats the address, then neither the outcome nor what caused it does."""
    spoken = {verb: reply.format(address=AINO.email) for verb, reply in script.items()}
    async with scripted(**spoken) as (_, port), post_to(port) as post:
        outcome = await post.send(letter(), AINO.email)
    assert str(AINO.email) not in repr(outcome)
    if isinstance(outcome, Unreachable):
        assert outcome.fault.__cause__ is None


async def test_one_connection_carries_one_mail_after_another() -> None:
    """Given mails one after another, then they share a connection, until it has carried as many as it may."""
    async with scripted() as (manners, port), post_to(port, mails_per_connection=3) as post:
        for number in range(7):
            assert isinstance(await post.send(letter(f"n-{number}"), AINO.email), HandedOver)
        assert manners.connections == 3


async def test_a_connection_that_has_idled_is_opened_anew() -> None:
    """Given connections that are old at once, then each mail gets a new one, and the old one is left politely."""
    async with scripted() as (manners, port), post_to(port, idle_seconds=0.0) as post:
        for number in range(2):
            assert isinstance(await post.send(letter(f"n-{number}"), AINO.email), HandedOver)
    assert (manners.connections, manners.heard.count("QUIT")) == (2, 2)


async def test_a_connection_the_server_closed_meanwhile_costs_no_mail(sink: Sink) -> None:
    """Given a server that hung up between two mails, then the second goes out on a new connection."""
    async with post_to(sink.port, connections=1) as post:
        assert isinstance(await post.send(letter("n-1"), AINO.email), HandedOver)
        sink.hang_up()
        assert isinstance(await post.send(letter("n-2"), AINO.email), HandedOver)
    assert len(sink.inbox("aino@people.example")) == 2


async def test_an_old_connection_closed_at_the_next_mail_costs_no_mail() -> None:
    """Given a server that says 421 to the second mail on a connection, then that mail goes out on a new one."""
    async with scripted() as (manners, port), post_to(port, connections=1) as post:
        assert isinstance(await post.send(letter("n-1"), AINO.email), HandedOver)
        await manners.until("hello")
        manners.script["MAIL"] = "421 idle too long"
        sending = asyncio.create_task(post.send(letter("n-2"), AINO.email))
        await manners.until("hello")
        manners.script["MAIL"] = "250 OK"
        assert isinstance(await sending, HandedOver)


async def test_a_burst_is_quick_and_loses_nothing(sink: Sink) -> None:
    """Given 60 mails at once, then each is in its box with its own code, well within two seconds a mail."""
    began = time.monotonic()
    async with post_to(sink.port) as post:
        people = [Address(f"p{number}", "people.example") for number in range(60)]
        sending = [post.send(letter(f"n-{at}", f"{at:08}"), person) for at, person in enumerate(people)]
        outcomes = await asyncio.gather(*sending)
    assert all(isinstance(outcome, HandedOver) for outcome in outcomes)
    codes = [read_code(sink.inbox(str(person))[0].mail()) for person in people]
    assert codes == [f"{number:08}" for number in range(60)]
    assert time.monotonic() - began < 10


async def test_a_sending_given_up_leaves_the_post_fit(sink: Sink) -> None:
    """Given a sending that is cancelled half-way, then the next mail is not confused by what it left behind."""
    async with scripted(RCPT=SILENCE) as (manners, port), post_to(port, connections=1) as post:
        sending = asyncio.create_task(post.send(letter("n-1"), AINO.email))
        await manners.until("RCPT")
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        manners.script["RCPT"] = "250 OK"
        assert isinstance(await post.send(letter("n-2"), AINO.email), HandedOver)
        assert manners.connections == 2


async def test_required_encryption_is_used(tmp_path: Path, sink: Sink) -> None:
    """Given a server with STARTTLS whose certificate we know, then mail goes out encrypted, asked for or offered."""
    certificate = make_certificate(tmp_path / "mail.pem")
    async with encrypted(sink, certificate) as port:
        for tls in ("required", "offered"):
            async with post_to(port, tls=tls, ca_file=certificate) as post:
                assert isinstance(await post.send(letter(), AINO.email), HandedOver)
        async with post_to(port, tls="never") as post:
            assert isinstance(await post.send(letter(), AINO.email), Unreachable)
    assert len(sink.inbox(str(AINO.email))) == 2


async def test_a_certificate_nobody_vouches_for_is_not_trusted(tmp_path: Path, sink: Sink) -> None:
    """Given a server whose certificate we do not know, then no mail goes out to it."""
    async with encrypted(sink, make_certificate(tmp_path / "mail.pem")) as port, post_to(port) as post:
        assert isinstance(await post.send(letter(), AINO.email), Unreachable)
    assert sink.latest(10) == ()


async def test_required_encryption_that_is_not_offered_stops_the_mail(sink: Sink) -> None:
    """Given a server without STARTTLS where we require it, then nothing is sent in the open."""
    async with post_to(sink.port, tls="required") as post:
        outcome = await post.send(letter(), AINO.email)
    assert isinstance(outcome, Unreachable)
    assert isinstance(outcome.fault, MailRefusesUs)
    assert sink.latest(10) == ()


@pytest.mark.parametrize(("password", "kind"), [("right", HandedOver), ("wrong", Unreachable)])
async def test_a_password_opens_the_server_or_is_our_affair(
    tmp_path: Path, sink: Sink, *, password: str, kind: type[HandedOver | Unreachable]
) -> None:
    """Given a server with a password, then the right one hands mail over, and a wrong one blames the hub alone."""
    certificate = make_certificate(tmp_path / "mail.pem")
    async with encrypted(sink, certificate, password=b"right") as port:
        ours = SmtpSettings(
            host="127.0.0.1",
            port=port,
            sender=HEAD.sender,
            tls="required",
            username="hub",
            password=password,
            ca_file=str(certificate),
        )
        async with Post(ours, clock=lambda: NOW) as post:
            outcome = await post.send(letter(), AINO.email)
    assert isinstance(outcome, kind)
    if isinstance(outcome, Unreachable):
        assert isinstance(outcome.fault, MailRefusesUs)


def test_a_password_never_travels_in_the_open() -> None:
    """Given settings with a password and encryption that may fall away, then they are refused."""
    with pytest.raises(ValueError, match="password"):
        SmtpSettings(host="127.0.0.1", port=25, sender=HEAD.sender, username="u", password="p", tls="offered")
