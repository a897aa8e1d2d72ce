"""The sink keeps what it is given, in memory and on disk, and hands it to whoever waits for it."""

import asyncio
import logging
import os
import smtplib
import stat
from pathlib import Path

import pytest

from restante.hub.notices.mail import compose, read_code
from restante.hub.notices.sink import LARGEST_MAIL_BYTES, open_sink
from tests.hub.notices.samples import AINO, HEAD, NOTICES, NOW


def hand_over(port: int, to: str, text: str = "Subject: hello\r\n\r\nhello\r\n") -> None:
    """Send a mail by the standard library's client, a second opinion on our server."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost", timeout=5) as client:
        client.sendmail("parcels@pohjola.example", [to], text)


async def test_a_mail_survives_the_sink(tmp_path: Path) -> None:
    """Given a mail in the sink, when the sink is opened again, then the mail is there, and numbers go on rising."""
    async with await open_sink(tmp_path / "mail") as sink:
        await asyncio.to_thread(hand_over, sink.port, "Aino@people.example")
        (before,) = sink.inbox("aino@people.example")
    async with await open_sink(tmp_path / "mail") as sink:
        assert sink.inbox("AINO@people.example") == (before,)
        await asyncio.to_thread(hand_over, sink.port, "eero@people.example")
        assert [mail.number for mail in sink.latest(5)] == [2, 1]
        assert [mail.number for mail in sink.latest(1)] == [2]
    assert before.mail()["Subject"] == "hello"


async def test_only_this_user_reads_the_mails(tmp_path: Path) -> None:
    """Given a mail on disk, then neither the file nor its directory is open to others."""
    async with await open_sink(tmp_path / "mail") as sink:
        await asyncio.to_thread(hand_over, sink.port, "aino@people.example")
    (path,) = (tmp_path / "mail").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_person_waits_for_the_next_mail(tmp_path: Path) -> None:
    """Given somebody who waits, when a mail for another and then one for them arrive, then they get theirs."""
    async with await open_sink(tmp_path) as sink:
        waiting = asyncio.create_task(sink.next_mail("aino@people.example"))
        await asyncio.to_thread(hand_over, sink.port, "eero@people.example")
        assert not waiting.done()
        await asyncio.to_thread(hand_over, sink.port, "aino@people.example")
        first = await asyncio.wait_for(waiting, 5)
        assert first.recipient == "aino@people.example"
        second = asyncio.create_task(sink.next_mail("aino@people.example", after=first.number))
        await asyncio.to_thread(hand_over, sink.port, "aino@people.example")
        assert (await asyncio.wait_for(second, 5)).number > first.number


async def test_one_who_gave_up_waiting_disturbs_nobody(tmp_path: Path) -> None:
    """Given two who wait for the same box, when one gives up, then the other still gets the mail."""
    async with await open_sink(tmp_path) as sink:
        gone, stays = (asyncio.create_task(sink.next_mail("aino@people.example")) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.to_thread(hand_over, sink.port, "aino@people.example")
        assert (await asyncio.wait_for(stays, 5)).number == 1


async def test_the_oldest_makes_room(tmp_path: Path) -> None:
    """Given a sink that keeps two mails, when a third comes, then the first is gone from memory and disk."""
    async with await open_sink(tmp_path, keep=2) as sink:
        for name in ("a", "b", "c"):
            await asyncio.to_thread(hand_over, sink.port, f"{name}@people.example")
        assert sink.inbox("a@people.example") == ()
        assert [mail.number for mail in sink.latest(9)] == [3, 2]
    assert sorted(os.listdir(tmp_path)) == ["00000002.eml", "00000003.eml"]


@pytest.mark.parametrize(("domain", "code"), [("bounce.example", 550), ("slow.example", 451), ("later.example", 451)])
async def test_bad_domains_behave_badly(tmp_path: Path, domain: str, code: int) -> None:
    """Given a domain that misbehaves on purpose, then the recipient is refused and nothing is kept."""
    async with await open_sink(tmp_path) as sink:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            await asyncio.to_thread(hand_over, sink.port, f"aino@{domain}")
        assert refused.value.recipients[f"aino@{domain}"][0] == code
        assert sink.latest(9) == ()


async def test_a_mail_too_large_is_refused(tmp_path: Path) -> None:
    """Given a mail above the limit, then the server refuses it and keeps nothing."""
    async with await open_sink(tmp_path) as sink:
        with pytest.raises(smtplib.SMTPResponseException) as refused:
            await asyncio.to_thread(hand_over, sink.port, AINO.name[:4] + "@x.example", "a" * (LARGEST_MAIL_BYTES + 1))
        assert refused.value.smtp_code == 552
        assert sink.latest(9) == ()


async def test_every_notice_is_read_back_by_a_person(tmp_path: Path) -> None:
    """Given a notice of each kind sent by another client, then the code in the box is the code that was sent."""
    async with await open_sink(tmp_path) as sink:
        for notice in NOTICES:
            mail = compose(notice, AINO, head=HEAD, notice_id="n", now=NOW)
            await asyncio.to_thread(hand_over, sink.port, str(AINO.email), mail.whole.decode("ascii"))
        codes = [read_code(received.mail()) for received in sink.inbox(str(AINO.email))]
    assert codes == [getattr(notice, "code", None) for notice in NOTICES]


async def test_no_address_reaches_a_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Given logging turned up to its loudest, when a mail comes in, then its address is in no line."""
    caplog.set_level(logging.DEBUG)
    async with await open_sink(tmp_path) as sink:
        await asyncio.to_thread(hand_over, sink.port, "marked-person@people.example")
        assert sink.inbox("marked-person@people.example")
    assert "marked-person" not in caplog.text
