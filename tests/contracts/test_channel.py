"""What every channel promises: a mail is taken, or it is said why not, and nothing is raised."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from restante.hub.notices.address import Address
from restante.hub.notices.channel import Channel
from restante.hub.notices.kinds import About, Place, Ready, Recipient
from restante.hub.notices.mail import Letterhead, Mail, compose, read_code
from restante.hub.notices.outcome import HandedOver, Unreachable
from restante.hub.notices.sink import open_sink
from restante.hub.notices.smtp import Post, SmtpSettings
from restante.sim.clock import Clock
from restante.sim.mailbox import Letter, Mailboxes

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
AINO = Address("aino", "people.example")
SENDER = Address("parcels", "network.example")
CODE = "48291730"


class Kit(msgspec.Struct):
    """A channel, how its way is cut, and the codes that have arrived for Aino."""

    channel: Channel
    cut: Callable[[], Awaitable[None]]
    codes: Callable[[], list[str | None]]


@pytest.fixture(params=["smtp", "story"])
async def kit(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kit]:
    """Each implementation of the port in turn."""
    if request.param == "story":
        yield a_story()
        return
    async with (
        await open_sink(tmp_path / "mail") as sink,
        Post(SmtpSettings("127.0.0.1", sink.port, SENDER), clock=lambda: NOW) as post,
    ):
        yield Kit(post, sink.close, lambda: [read_code(one.mail()) for one in sink.inbox(str(AINO))])


def a_story() -> Kit:
    """The mailboxes of the simulator."""
    letters: list[Letter] = []
    boxes = Mailboxes(Clock(NOW))
    boxes.on_letter = letters.append

    async def cut() -> None:
        boxes.stop()

    return Kit(boxes, cut, lambda: [letter.code for letter in letters if letter.to == str(AINO)])


def a_mail() -> Mail:
    """A mail with a code."""
    place = Place("Mall", "By the door.", "Europe/Helsinki")
    notice = Ready(About("R7T2K4M9"), place, CODE, NOW)
    head = Letterhead("Network", SENDER, SENDER)
    return compose(notice, Recipient("Aino", AINO, "en"), head=head, notice_id="task.0.1.0", now=NOW)


async def test_a_mail_is_taken_and_arrives(kit: Kit) -> None:
    """Given a mail, when handed over, then the outcome says when and under which id, and its reader finds the code."""
    assert await kit.channel.send(a_mail(), AINO) == HandedOver(NOW, "<task.0.1.0@network.example>")
    assert kit.codes() == [CODE]


async def test_the_same_mail_is_taken_twice(kit: Kit) -> None:
    """Given a worker that repeats itself, when the same mail comes again, then it is taken, with the same id."""
    first = await kit.channel.send(a_mail(), AINO)
    assert await kit.channel.send(a_mail(), AINO) == first


async def test_a_cut_way_is_nobodys_bounce(kit: Kit) -> None:
    """Given no way out, when a mail is handed over, then the fault is retryable and nothing has arrived."""
    await kit.cut()
    outcome = await kit.channel.send(a_mail(), AINO)
    assert isinstance(outcome, Unreachable)
    assert outcome.at == NOW
    assert outcome.fault.retryable
    assert kit.codes() == []
