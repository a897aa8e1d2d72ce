"""What an operator does to the fleet, against real records."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from restante.core.access import parse_code
from restante.core.ids import SourceId
from restante.core.refusals import Refusal
from restante.core.time import Instant
from restante.hub.engine import Engine
from restante.hub.fleet.authority import Authority, Issued, issue_source
from restante.hub.fleet.enrol import CODE_LIFE, EnrolmentCode, redeem
from restante.hub.fleet.keyfiles import MASTER_FILE, KeyExposed, KeyUnreadable, open_authority
from restante.hub.fleet.keys import FleetKeys, open_keys, verifier_of
from restante.hub.fleet.records import Beat, Records, open_records
from restante.hub.fleet.service import (
    COURIER_CODE_LIFE,
    CodesUsedUp,
    CourierCode,
    Fleet,
    invite,
    issue_courier_code,
    replace_controller,
    revoke,
)
from restante.store.postgres import PostgresLedger
from restante.wire.enrol import Invitation, SourceName, code_digest
from tests.hub.fleet.lines import csr, new_key, serial
from tests.hub.fleet.town import BANK, KEYS, NOW, ORG, POINT, SETTINGS, parcel_id, provisioning, ran

NAME = SourceName(SETTINGS.network, BANK)


@pytest.fixture
async def records(database: str) -> AsyncIterator[Records]:
    """The fleet's records in a database of the test's own."""
    async with open_records(database, SETTINGS.network) as records:
        yield records


@pytest.fixture
async def fleet(postgres: PostgresLedger, records: Records, tmp_path: Path) -> Fleet:
    """A fleet with one bank."""
    await ran(postgres, provisioning())
    authority = open_authority(tmp_path, SETTINGS.network, now=NOW, serial=serial())
    engine = Engine(postgres, lambda: NOW, max_batch=8, queue_limit=8)
    return Fleet(postgres, engine.submit, records, authority, KEYS, SETTINGS, "wss://hub.example:8443")


def issued(authority: Authority, name: SourceName = NAME, now: Instant = NOW) -> Issued:
    """A certificate for a key made here."""
    made = issue_source(authority, csr(new_key()), name, now=now, serial=serial())
    assert isinstance(made, Issued)
    return made


async def code_of(fleet: Fleet) -> EnrolmentCode:
    """A fresh invitation's code, as the records keep it."""
    invitation = await invite(fleet, BANK, now=NOW, chance=secrets.token_bytes)
    assert isinstance(invitation, Invitation)
    code = await fleet.records.find_code(code_digest(invitation.code))
    assert code is not None
    return code


def used(code: EnrolmentCode, key: str) -> EnrolmentCode:
    """A code marked as used by a key."""
    return msgspec.structs.replace(code, used_by=key)


async def test_an_invitation_is_kept_by_its_digest_and_replaces_the_last(fleet: Fleet) -> None:
    """Given two invitations, when looked up, then only the newer is known, for a day, without its code."""
    first = await invite(fleet, BANK, now=NOW, chance=secrets.token_bytes)
    second = await invite(fleet, BANK, now=NOW, chance=secrets.token_bytes)
    assert isinstance(first, Invitation)
    assert isinstance(second, Invitation)
    assert (second.hub_url, second.authority_sha256) == (fleet.hub_url, fleet.authority.sha256)
    assert await fleet.records.find_code(code_digest(first.code)) is None
    kept = await fleet.records.find_code(code_digest(second.code))
    assert kept == EnrolmentCode(code_digest(second.code), NAME, NOW + CODE_LIFE)
    assert isinstance(redeem(kept, second.code, key="k", now=NOW), EnrolmentCode)


async def test_unknown_sources_are_refused(fleet: Fleet) -> None:
    """Given ids of nothing, when anything is asked for them, then the answer is that they are unknown."""
    for name in (SourceId("x"), SourceId(parcel_id(1))):
        for answer in (
            await invite(fleet, name, now=NOW, chance=secrets.token_bytes),
            await revoke(fleet, name, now=NOW),
            await replace_controller(fleet, name, actor="o", epoch=2, now=NOW, chance=secrets.token_bytes),
            await issue_courier_code(fleet, name, ORG, now=NOW, chance=secrets.token_bytes),  # type: ignore[arg-type]
        ):
            assert isinstance(answer, Refusal)
            assert answer.code == "source-unknown"


async def test_a_code_is_good_for_one_key_and_harmless_to_repeat(fleet: Fleet) -> None:
    """Given one code, when two machines race with it, then one gets its certificate, and gets it again."""
    code, records = await code_of(fleet), fleet.records
    outcomes = await asyncio.gather(*(records.keep(issued(fleet.authority), used(code, key)) for key in "ab"))
    assert sorted(outcomes) == [False, True]
    winner = "ab"[outcomes.index(True)]
    assert await records.keep(issued(fleet.authority), used(code, winner))


async def test_what_was_revoked_stays_out(fleet: Fleet) -> None:
    """Given certificates and a code, when the source is revoked, then none is good, and none is renewed or enrolled."""
    records, first = fleet.records, issued(fleet.authority)
    assert await records.keep(first, used(await code_of(fleet), "a"))
    assert await records.keep(issued(fleet.authority), None)
    pending = await code_of(fleet)
    assert await revoke(fleet, BANK, now=NOW) == 2
    assert (await records.revoked(NOW))[first.peer.serial] == NOW
    assert await records.revoked(NOW + timedelta(days=31)) == {}
    assert not await records.keep(issued(fleet.authority), None)
    assert not await records.keep(issued(fleet.authority), used(pending, "b"))
    assert not await records.keep(issued(fleet.authority, SourceName(SETTINGS.network, "bank-1")), None)
    assert await revoke(fleet, BANK, now=NOW) == 0
    assert await records.keep(issued(fleet.authority), used(await code_of(fleet), "b"))


async def test_renewals_and_a_revocation_at_once_leave_nothing_good(fleet: Fleet) -> None:
    """Given renewals on their way, when the source is revoked among them, then none of them is good after."""
    records = fleet.records
    assert await records.keep(issued(fleet.authority), used(await code_of(fleet), "a"))
    renewals = [issued(fleet.authority) for _ in range(6)]
    calls = [records.keep(one, None) for one in renewals]
    *kept, _ = await asyncio.gather(*calls[:3], *calls[3:], records.revoke(BANK, NOW))
    revoked = await records.revoked(NOW)
    assert all(one.peer.serial in revoked for one, was in zip(renewals, kept, strict=True) if was)


async def test_a_replacement_begins_an_epoch_and_invites(fleet: Fleet) -> None:
    """Given a bank at work, when its controller is replaced, then its certificates end and a later epoch begins."""
    first = issued(fleet.authority)
    assert await fleet.records.keep(first, used(await code_of(fleet), "a"))
    invitation = await replace_controller(fleet, BANK, actor="operator", epoch=2, now=NOW, chance=secrets.token_bytes)
    assert isinstance(invitation, Invitation)
    assert first.peer.serial in await fleet.records.revoked(NOW)
    head = await fleet.ledger.source(BANK)
    assert head is not None
    assert head.epoch == 2


async def test_a_couriers_code_is_shown_once_and_recognised_by_its_bank(fleet: Fleet) -> None:
    """Given a courier's code, when issued, then the bank's verifier is of it, and a new one replaces it."""
    given = await issue_courier_code(fleet, POINT, ORG, now=NOW, chance=secrets.token_bytes)
    assert isinstance(given, CourierCode)
    assert parse_code(given.code) == given.code
    assert given.expires_at == NOW + COURIER_CODE_LIFE
    assert given.code not in repr(given)
    view = await fleet.ledger.view(POINT)
    assert view is not None
    [credential] = view.credentials
    assert credential.subject == f"org:{ORG}"
    assert credential.verifier == verifier_of(given.code, KEYS, source=BANK, epoch=1, settings=SETTINGS)
    await issue_courier_code(fleet, POINT, ORG, now=NOW, chance=secrets.token_bytes)
    view = await fleet.ledger.view(POINT)
    assert view is not None
    assert [one.verifier for one in view.credentials] != [credential.verifier]


async def test_a_code_in_use_is_drawn_again(fleet: Fleet) -> None:
    """Given chance that draws a code in use, when issued, then another is drawn; with no other it is a fault."""
    draws = iter([bytes([1] * 32), bytes([1] * 32), bytes([255] * 32), bytes([2] * 32)])
    first = await issue_courier_code(fleet, POINT, ORG, now=NOW, chance=lambda _: next(draws))
    assert isinstance(first, CourierCode)
    other = type(ORG)("carrier-2")
    second = await issue_courier_code(fleet, POINT, other, now=NOW, chance=lambda _: next(draws))
    assert isinstance(second, CourierCode)
    assert (first.code, second.code) == ("11111111", "22222222")
    with pytest.raises(CodesUsedUp):
        await issue_courier_code(fleet, POINT, type(ORG)("carrier-3"), now=NOW, chance=lambda n: bytes([1] * n))


async def test_silence_is_told_once_until_the_source_is_back(fleet: Fleet) -> None:
    """Given a session, when it is silent too long, then it is listed until told, and anew after the next one."""
    records, later = fleet.records, NOW + timedelta(minutes=20)
    await records.enter(BANK, POINT, session="a", now=NOW)
    assert await records.silent(NOW) == []
    assert await records.silent(later) == [(BANK, POINT)]
    assert await records.keep_sessions([Beat(BANK, "a", later)]) == {"a"}
    assert await records.keep_sessions([Beat(BANK, "b", later)]) == frozenset()
    assert await records.silent(later) == []
    after = later + timedelta(minutes=20)
    await records.told_lost([BANK], after)
    assert await records.silent(after) == []
    await records.enter(BANK, POINT, session="b", now=later)
    assert await records.silent(after) == [(BANK, POINT)]


def test_keys_are_made_once_private_and_differ_by_source_and_epoch(tmp_path: Path) -> None:
    """Given a state directory, when keys are opened twice, then they are the same, one for each source and epoch."""
    keys = open_keys(tmp_path)
    again = open_keys(tmp_path)
    assert (keys.master, keys.manifest_public) == (again.master, again.manifest_public)
    derived = {keys.source_key(source, epoch) for source in (BANK, SourceId("a"), SourceId("b")) for epoch in (1, 2)}
    assert len(derived) == 6
    assert keys.source_key(BANK, 1) == again.source_key(BANK, 1)
    assert FleetKeys(keys.manifest, bytes(32)).source_key(BANK, 1) not in derived
    assert keys.master.hex() not in repr(keys)
    assert (tmp_path / MASTER_FILE).stat().st_mode & 0o777 == 0o600


def test_exposed_and_damaged_secrets_are_faults(tmp_path: Path) -> None:
    """Given a secret that others can read, or that was cut short, when opened, then it is not used."""
    open_keys(tmp_path)
    (tmp_path / MASTER_FILE).chmod(0o644)
    with pytest.raises(KeyExposed):
        open_keys(tmp_path)
    (tmp_path / MASTER_FILE).chmod(0o600)
    (tmp_path / MASTER_FILE).write_bytes(b"short")
    with pytest.raises(KeyUnreadable):
        open_keys(tmp_path)
