"""A bank gets, keeps and renews its identity, with a real hub on loopback and real files."""

import logging
import os
import stat
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection

from restante.core.refusals import Refusal
from restante.edge import enrol as edge_enrol
from restante.edge.enrol import HubUnproven, HubUnreachable, enrol, renew
from restante.edge.identity import (
    AUTHORITIES_FILE,
    HUB_FILE,
    IDENTITY_FILE,
    PENDING_FILE,
    Identity,
    IdentityExposed,
    IdentityUnreadable,
    authority_matching,
    certificate_request,
    has_ended,
    load_identity,
    needs_renewal,
    pending_key,
    session_context,
    store_identity,
)
from restante.hub.fleet.authority import requested_key
from restante.wire.enrol import AuthorityShown, SourceName, encode
from tests.hub.fleet.lines import NAME, NETWORK, NOW, SESSION, Hub, key_pem, new_key

DAY = timedelta(days=1)


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A hub with its own state directory."""
    return Hub(tmp_path / "hub")


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """Where the bank keeps its identity; not made yet."""
    return tmp_path / "bank" / "identity"


async def enrolled(hub: Hub, bank: Path, name: SourceName = NAME) -> Identity:
    """A bank that has enrolled over the line."""
    identity = await enrol(hub.invite(name), bank)
    assert isinstance(identity, Identity)
    return identity


async def dial(identity: Identity, *, is_clock_trusted: bool = True) -> str:
    """Open a session and say what the hub answered."""
    context = session_context(identity, is_clock_trusted=is_clock_trusted)
    async with connect(identity.hub_url, ssl=context, subprotocols=[SESSION]) as connection:
        return str(await connection.recv())


def files(directory: Path) -> dict[str, bytes]:
    """Every file of a directory, by name."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def modes(directory: Path) -> dict[str, int]:
    """The modes of a directory and all in it, by name."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (directory, *directory.iterdir())}


async def test_from_an_invitation_to_a_session(hub: Hub, bank: Path) -> None:
    """Given an invitation, when the bank enrols and dials, then the hub knows it by name on a line both checked."""
    async with hub.listening():
        identity = await enrolled(hub, bank)
        assert await dial(identity) == NAME.uri
    assert identity.name == NAME
    assert load_identity(bank) == identity
    assert [issued.peer.serial for issued in hub.records.issued] == [identity.serial]


async def test_the_banks_files_are_private(hub: Hub, bank: Path) -> None:
    """When a bank has enrolled, then its directory and files are the owner's alone and nothing is left pending."""
    async with hub.listening():
        await enrolled(hub, bank)
    assert modes(bank) == {
        bank.name: 0o700,
        IDENTITY_FILE: 0o600,
        AUTHORITIES_FILE: 0o600,
        HUB_FILE: 0o600,
    }


async def test_renewal_brings_a_new_key_and_the_old_certificate_works_on(hub: Hub, bank: Path) -> None:
    """Given an enrolled bank, when it renews, then key and certificate are new and the earlier ones still get in."""
    async with hub.listening():
        first = await enrolled(hub, bank)
        before = session_context(first)
        second = await renew(first)
        assert isinstance(second, Identity)
        assert await dial(second) == NAME.uri
        async with connect(hub.url, ssl=before, subprotocols=[SESSION]) as connection:
            assert await connection.recv() == NAME.uri
    old, new = (issued.peer for issued in hub.records.issued)
    assert (old.serial, new.serial) == (first.serial, second.serial)
    assert old.key_sha256 != new.key_sha256
    assert load_identity(bank) == second


async def test_a_revoked_bank_gets_neither_session_nor_renewal(hub: Hub, bank: Path) -> None:
    """Given an enrolled bank, when its certificate is revoked, then it hears so on both and keeps its files."""
    async with hub.listening():
        identity = await enrolled(hub, bank)
        kept = files(bank)
        hub.records.revoked.add(identity.serial)
        assert await dial(identity) == "certificate-revoked"
        assert await renew(identity) == Refusal("certificate-revoked")
    assert {name: body for name, body in files(bank).items() if name != PENDING_FILE} == kept


async def test_a_lost_answer_is_asked_for_again(hub: Hub, bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an answer lost on the way, when the bank asks again with the same invitation, then it has its identity."""
    async with hub.listening():
        invitation = hub.invite()
        with monkeypatch.context() as power_cut:
            power_cut.setattr(edge_enrol, "_stored", _lose)
            with pytest.raises(ConnectionAbortedError):
                await enrol(invitation, bank)
        assert load_identity(bank) is None
        assert isinstance(await enrol(invitation, bank), Identity)
    first, second = (issued.peer for issued in hub.records.issued)
    assert first.key_sha256 == second.key_sha256


def _lose(*_: object, **__: object) -> None:
    raise ConnectionAbortedError


async def test_a_used_invitation_enrols_no_second_machine(hub: Hub, bank: Path, tmp_path: Path) -> None:
    """Given a used invitation, when another machine brings it, then it is refused and stores no identity."""
    async with hub.listening():
        invitation = hub.invite()
        assert isinstance(await enrol(invitation, bank), Identity)
        assert await enrol(invitation, tmp_path / "second") == Refusal("enrolment-code-used")
    assert load_identity(tmp_path / "second") is None


async def test_a_false_hub_never_hears_the_code(hub: Hub, bank: Path, tmp_path: Path) -> None:
    """Given a false hub at the address of the invitation, then the bank hangs up before it says the code."""
    false_hub = Hub(tmp_path / "false")
    async with false_hub.listening():
        hub.port = false_hub.port
        invitation = hub.invite()
        with pytest.raises(HubUnproven):
            await enrol(invitation, bank)
    assert false_hub.handshakes == ["TLSv1.3"]
    assert false_hub.records.issued == []
    assert load_identity(bank) is None


async def test_a_false_hub_that_shows_the_true_authority_never_hears_the_code(
    hub: Hub, bank: Path, tmp_path: Path
) -> None:
    """Given a false hub that repeats the true, public authority, then its own handshake gives it away."""
    false_hub = Hub(tmp_path / "false")
    own = false_hub.context()
    false_hub.authorities = (hub.authority.certificate,)
    false_hub.context = lambda: own  # type: ignore[method-assign]
    async with false_hub.listening():
        hub.port = false_hub.port
        with pytest.raises(HubUnproven):
            await enrol(hub.invite(), bank)
    assert len(false_hub.handshakes) == 1
    assert false_hub.records.issued == []


async def test_a_hub_of_another_name_never_hears_the_code(bank: Path, tmp_path: Path) -> None:
    """Given a listener certified for another host, then the bank does not enrol there."""
    hub = Hub(tmp_path / "hub", names=("hub.example",))
    async with hub.listening():
        with pytest.raises(HubUnproven):
            await enrol(hub.invite(), bank)
    assert hub.records.issued == []


async def test_nobody_at_the_address_is_worth_another_try(hub: Hub, bank: Path) -> None:
    """When nobody listens at the hub's address, then the fault says that trying again can help."""
    async with hub.listening():
        invitation = hub.invite()
    with pytest.raises(HubUnreachable) as caught:
        await enrol(invitation, bank)
    assert caught.value.retryable


@pytest.mark.parametrize("said", [b"", b"nonsense", b'{"type":"refused","code":"x"}', b"\xff" * 100])
async def test_nonsense_for_an_authority_proves_no_hub(hub: Hub, bank: Path, said: bytes) -> None:
    """When what should be the hub answers anything but the authority, then it is not the hub."""

    async def receive(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(said)

    hub.receive = receive  # type: ignore[method-assign]
    async with hub.listening():
        with pytest.raises(HubUnproven):
            await enrol(hub.invite(), bank)


@pytest.mark.parametrize(
    ("said", "detail"),
    [(b"nonsense", ""), (encode(AuthorityShown("pem")), "an answer to another question")],
)
async def test_nonsense_for_a_renewal_changes_nothing(hub: Hub, bank: Path, said: bytes, detail: str) -> None:
    """When the hub answers a renewal with anything but one, then that is refused and the bank stays as it is."""

    async def receive(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(said)

    async with hub.listening():
        identity = await enrolled(hub, bank)
    hub.receive = receive  # type: ignore[method-assign]
    async with hub.listening():
        moved = msgspec.structs.replace(identity, hub_url=hub.url)
        assert await renew(moved) == Refusal("enrolment-malformed", detail=detail)
    assert load_identity(bank) == identity


async def test_no_code_and_no_key_is_logged(hub: Hub, bank: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Given every log at DEBUG, when a bank enrols and renews, then neither code nor private key is written."""
    caplog.set_level(logging.DEBUG)
    async with hub.listening():
        invitation = hub.invite()
        identity = await enrol(invitation, bank)
        assert isinstance(identity, Identity)
        await renew(identity)
    assert caplog.text
    assert invitation.code not in caplog.text
    assert "PRIVATE" not in caplog.text
    assert "PRIVATE" not in repr(identity)


async def test_a_bank_that_woke_in_1970_reaches_its_hub(bank: Path, tmp_path: Path) -> None:
    """Given a hub's certificate not yet begun by the bank's clock, then a bank that mistrusts that clock gets in."""
    hub = Hub(tmp_path / "hub")
    hub.listener_made_at = NOW + 10 * DAY  # the same to the bank as a clock that is ten days late
    async with hub.listening():
        invitation = hub.invite()
        with pytest.raises(HubUnproven):
            await enrol(invitation, bank)
        identity = await enrol(invitation, bank, is_clock_trusted=False)
        assert isinstance(identity, Identity)
        assert await dial(identity, is_clock_trusted=False) == NAME.uri
        with pytest.raises(HubUnproven):
            await renew(identity)
        assert isinstance(await renew(identity, is_clock_trusted=False), Identity)


async def test_mistrusting_the_clock_is_not_mistrusting_the_authority(hub: Hub, bank: Path, tmp_path: Path) -> None:
    """Given a bank that mistrusts its clock, when another authority's hub answers, then it still hangs up."""
    async with hub.listening():
        identity = await enrolled(hub, bank)
    other = Hub(tmp_path / "other")
    async with other.listening():
        moved = msgspec.structs.replace(identity, hub_url=other.url)
        with pytest.raises(HubUnproven):
            await renew(moved, is_clock_trusted=False)


async def test_the_root_changes_by_renewal(hub: Hub, bank: Path, tmp_path: Path) -> None:
    """Given a network that changes its root, when a bank renews, then it trusts both roots, and the hub may move on."""
    new = Hub(tmp_path / "new")
    both = (hub.authority.certificate, new.authority.certificate)
    async with hub.listening():
        identity = await enrolled(hub, bank)
        hub.authorities = both
        renewed = await renew(identity)
        assert isinstance(renewed, Identity)
    new.authorities = both
    async with new.listening():
        moved = msgspec.structs.replace(renewed, hub_url=new.url)
        last = await renew(moved)
        assert isinstance(last, Identity)
        new.authorities = (new.authority.certificate,)
        assert await dial(last) == NAME.uri


def test_renewal_is_due_at_two_thirds(bank: Path, hub: Hub) -> None:
    """Given a certificate of thirty days, then it is due after twenty and over after thirty."""
    identity = stored(hub, bank)
    life = identity.not_after - identity.not_before
    assert not needs_renewal(identity, identity.not_before + life * 2 / 3 - timedelta(seconds=1))
    assert needs_renewal(identity, identity.not_before + life * 2 / 3)
    assert not has_ended(identity, identity.not_after)
    assert has_ended(identity, identity.not_after + timedelta(seconds=1))


def stored(hub: Hub, bank: Path, name: SourceName = NAME, *, expected: SourceName | None = None) -> Identity:
    """An identity stored without a line."""
    issued = hub.certify(pending_key(bank), name)
    return store_identity(
        bank,
        hub_url="wss://127.0.0.1:1",
        certificate_pem=issued.pem,
        authorities_pem=hub.authority.pem,
        expected=expected,
    )


def test_the_request_names_nobody_and_proves_its_key(bank: Path) -> None:
    """When a bank makes a request, then it carries the pending key, an empty subject and a good signature."""
    key = pending_key(bank)
    request = x509.load_pem_x509_csr(certificate_request(key).encode())
    assert list(request.subject) == []
    assert requested_key(certificate_request(key)) == key.public_key()
    assert pending_key(bank).private_numbers() == key.private_numbers()


def test_a_certificate_that_does_not_fit_is_not_stored(hub: Hub, bank: Path, tmp_path: Path) -> None:
    """When the answer is for another key, from another authority, or no source's, then nothing on disk changes."""
    stored(hub, bank)
    pending_key(bank)
    before = files(bank)
    stranger = Hub(tmp_path / "stranger")
    wrong = [
        hub.certify(new_key()).pem,
        stranger.certify(pending_key(bank)).pem,
        hub.authority.pem,
        "",
        "nonsense",
    ]
    for pem in wrong:
        with pytest.raises(IdentityUnreadable):
            store_identity(bank, hub_url="wss://127.0.0.1:1", certificate_pem=pem, authorities_pem=hub.authority.pem)
    for url in ("ws://127.0.0.1:1", "", "wss://hüb"):
        with pytest.raises(IdentityUnreadable):
            store_identity(
                bank,
                hub_url=url,
                certificate_pem=hub.certify(pending_key(bank)).pem,
                authorities_pem=hub.authority.pem,
            )
    assert files(bank) == before


def test_a_renewal_never_makes_it_another_source(hub: Hub, bank: Path) -> None:
    """When a renewal's answer names another source, then the bank stays who it is."""
    identity = stored(hub, bank)
    with pytest.raises(IdentityUnreadable):
        stored(hub, bank, SourceName(NETWORK, "bank-2"), expected=NAME)
    assert load_identity(bank) == identity


@pytest.mark.parametrize("step", range(4))
def test_a_crash_while_storing_leaves_the_old_or_the_new(
    hub: Hub, bank: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Given a renewal, when the power goes at any of its renames, then it wakes with a key and its certificate."""
    first = stored(hub, bank)
    left = [step]
    rename = Path.replace

    def cut(path: Path, target: Path) -> Path:
        if path.name != f".{PENDING_FILE}.new":
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as power_cut:
        power_cut.setattr(Path, "replace", cut)
        if step < 3:
            with pytest.raises(KeyboardInterrupt):
                stored(hub, bank)
        else:
            stored(hub, bank)
    awake = load_identity(bank)
    assert awake is not None
    assert (awake == first) == (step < 3)
    session_context(awake)
    assert stored(hub, bank).name == NAME


def test_before_enrolment_there_is_no_identity(bank: Path) -> None:
    """Given a fresh machine, then there is no identity, and that is no fault."""
    assert load_identity(bank) is None


@pytest.mark.parametrize("name", ["", IDENTITY_FILE])
def test_an_exposed_key_is_not_used(hub: Hub, bank: Path, name: str) -> None:
    """Given a key or directory that others can read, then the bank does not start on it."""
    stored(hub, bank)
    (bank / name).chmod(0o755)
    with pytest.raises(IdentityExposed):
        load_identity(bank)


def test_a_link_in_the_way_is_not_followed(hub: Hub, bank: Path, tmp_path: Path) -> None:
    """Given a symbolic link where the new file will be written, then the key does not go where it points."""
    pending_key(bank)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("")
    os.symlink(elsewhere, bank / f".{IDENTITY_FILE}.new")
    stored(hub, bank)
    assert elsewhere.read_text() == ""


@pytest.mark.parametrize("name", [IDENTITY_FILE, HUB_FILE])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_to_a_file_is_named(hub: Hub, bank: Path, name: str, data: st.DataObject) -> None:
    """Given an identity's file cut short or overwritten, then it faults by name, or is still the same source."""
    good = stored(hub, bank)
    body = (bank / name).read_bytes()
    cut = data.draw(st.integers(0, 200))
    (bank / name).write_bytes(body[:cut] + data.draw(st.binary(max_size=40)))
    try:
        found = load_identity(bank)
    except IdentityUnreadable:
        return
    assert found is not None
    assert found.name == good.name


@pytest.mark.parametrize("body", [b"", b"nonsense", key_pem(new_key()).encode()[:80]], ids=["empty", "nonsense", "cut"])
def test_a_damaged_pending_key_is_named(bank: Path, body: bytes) -> None:
    """Given a pending key that is cut short, then the bank says that it has to be enrolled again."""
    pending_key(bank)
    (bank / PENDING_FILE).write_bytes(body)
    with pytest.raises(IdentityUnreadable):
        pending_key(bank)


@pytest.mark.parametrize("body", [None, b"", b"nonsense"])
def test_missing_roots_are_named(hub: Hub, bank: Path, body: bytes | None) -> None:
    """Given an identity whose roots are gone or damaged, then it cannot dial and says why."""
    identity = stored(hub, bank)
    if body is None:
        (bank / AUTHORITIES_FILE).unlink()
    else:
        (bank / AUTHORITIES_FILE).write_bytes(body)
    with pytest.raises(IdentityUnreadable):
        session_context(identity)


@given(st.text(max_size=200))
def test_any_text_for_an_authority_matches_nothing(text: str) -> None:
    """Whatever text is shown for an authority, it has not the fingerprint asked for."""
    wrapped = f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"
    assert authority_matching(text, "ab" * 32) is None
    assert authority_matching(wrapped, "ab" * 32) is None


def test_only_the_authority_asked_for_is_taken(hub: Hub, tmp_path: Path) -> None:
    """Given a false root shown together with the true one, then the true one alone is taken."""
    other = Hub(tmp_path / "other")
    shown = other.authority.pem + hub.authority.pem
    assert authority_matching(shown, hub.authority.sha256) == hub.authority.pem
    assert authority_matching(other.authority.pem, hub.authority.sha256) is None


def test_a_secret_is_on_the_disk_before_its_name_and_its_name_before_anything_follows(
    bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a file to keep, when it is written, then it is flushed, renamed, and its folder flushed, in this order."""
    order, flush, rename = list[str](), os.fsync, Path.replace

    def flushed(descriptor: int) -> None:
        order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        flush(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        order.append("name")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", renamed)
    pending_key(bank)
    assert order == ["file", "name", "folder"]
    pending_key(bank)
    assert len(order) == 3, "a key that is there is not made again"
