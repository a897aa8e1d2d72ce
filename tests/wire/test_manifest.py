"""Manifests replace and amend each other forwards only, whatever is lost, repeated, altered or sent out of order."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.bank import RoomClass
from restante.core.ids import OrgId, ParcelId, SourceId
from restante.core.refusals import Refusal
from restante.wire import seal
from restante.wire.codec import canonical
from restante.wire.manifest import (
    Applied,
    Grant,
    GrantKind,
    ListedCompartment,
    Manifest,
    Pinned,
    Settings,
    apply,
    apply_fresh,
    difference,
    digest_of,
    restored,
    sign,
    sign_fresh,
    wants_full,
)
from restante.wire.session import ManifestSent

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
SOURCE = SourceId("bank-1")
PINNED = Pinned(SOURCE, 1, seal.public_key_to_text(KEY.public_key()))
START = datetime(2026, 3, 1, 8, tzinfo=UTC)
FIELDS = {
    "manifest-unsigned": {"signature"},
    "manifest-foreign": {"source"},
    "manifest-epoch": {"log_epoch"},
    "manifest-older": {"generation"},
    "manifest-base": {"base", "digest"},
    "manifest-digest": {"digest"},
    "manifest-malformed": {"", "grants"},
}
"""What each refusal speaks of."""


def manifest(generation: int, *, names: str = "", hub_epoch: int = 1, log_epoch: int = 1, doors: int = 2) -> Manifest:
    """A manifest with a grant for each letter."""
    grants = {
        name: Grant(GrantKind.DEPOSIT, OrgId("org-1"), ParcelId(f"parcel-{name}"), room_class=RoomClass("1"))
        for name in names
    }
    return Manifest(
        source=SOURCE,
        hub_epoch=hub_epoch,
        generation=generation,
        issued_at=START + timedelta(minutes=generation),
        log_epoch=log_epoch,
        settings=Settings(name=f"Bank {generation % 2}"),
        compartments=tuple(ListedCompartment(door, 1, 1, 1000) for door in range(1, doors + 1)),
        grants=grants,
    )


def taken(current: Applied | None, sent: ManifestSent) -> Applied:
    """The manifest in force after a message that must not be refused."""
    applied = apply(current, sent, PINNED)
    assert isinstance(applied, Applied), applied
    return applied


def signed(document: dict[str, Any], *, full: bool = True) -> ManifestSent:
    """Any document under the right key: what a later version of the hub might send."""
    written = canonical(document)
    assert isinstance(written, bytes)
    signature = seal.to_text(seal.sign(KEY, seal.MANIFEST, written))
    return ManifestSent(document=written.decode(), signature=signature, full=full)


def code(answer: Applied | Refusal) -> str:
    """Why it was refused."""
    assert isinstance(answer, Refusal), answer
    assert answer.field in FIELDS[answer.code], answer
    return answer.code


def test_a_difference_leads_where_the_whole_would() -> None:
    """Given a manifest, when a difference against it comes, then digest and grants are those of the next manifest."""
    before, after = manifest(1, names="ab"), manifest(2, names="bc", doors=3)
    applied = taken(taken(None, sign(before, KEY)), sign(difference(before, after), KEY))
    assert applied.digest == digest_of(after)
    assert applied.manifest == after
    assert applied.as_of == after.issued_at


def test_what_is_kept_reads_back() -> None:
    """Given a manifest in force, when it is restored from what a source keeps, then it is the same."""
    applied = taken(None, sign(manifest(3, names="ab"), KEY))
    assert restored(applied.document, applied.as_of) == applied


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (sign(manifest(9), OTHER_KEY), "manifest-unsigned"),
        (sign(msgspec.structs.replace(manifest(9), source=SourceId("bank-2")), KEY), "manifest-foreign"),
        (sign(manifest(9, log_epoch=2), KEY), "manifest-epoch"),
        (sign(manifest(4), KEY), "manifest-older"),
        (sign(manifest(5, names="z"), KEY), "manifest-older"),
        (sign(difference(manifest(4), manifest(9)), KEY), "manifest-base"),
        (sign(difference(manifest(3), manifest(4)), KEY), "manifest-older"),
        (signed({"source": "bank-1", "grants": []}), "manifest-malformed"),
        (signed({"source": "bank-1"}, full=False), "manifest-malformed"),
    ],
)
def test_what_does_not_belong_is_refused(sent: ManifestSent, why: str) -> None:
    """Given generation 5 in force, when a manifest comes that must not count, then it is refused by this name."""
    current = taken(None, sign(manifest(5, names="a"), KEY))
    assert code(apply(current, sent, PINNED)) == why


def test_a_difference_that_leads_elsewhere_asks_for_the_whole() -> None:
    """Given a signed difference whose digest is another's, when it comes, then the whole is asked for."""
    before = manifest(1, names="a")
    odd = msgspec.structs.replace(difference(before, manifest(2, names="ab")), digest=digest_of(manifest(2, names="b")))
    answer = apply(taken(None, sign(before, KEY)), sign(odd, KEY), PINNED)
    assert isinstance(answer, Refusal)
    assert answer.code == "manifest-digest"
    assert wants_full(answer)
    answer = apply(None, sign(difference(before, manifest(2)), KEY), PINNED)
    assert isinstance(answer, Refusal)
    assert answer.code == "manifest-base"
    assert wants_full(answer)
    older = apply(taken(None, sign(manifest(3), KEY)), sign(before, KEY), PINNED)
    assert isinstance(older, Refusal)
    assert not wants_full(older), "the same would come again"


def test_a_text_that_is_no_unicode_is_refused() -> None:
    """Given half a surrogate pair, when it comes as a document or is found where one was kept, then it is refused."""
    sent = msgspec.structs.replace(sign(manifest(1), KEY), document="\ud800")
    assert code(apply(None, sent, PINNED)) == "manifest-unsigned"
    assert code(restored("\ud800", START)) == "manifest-malformed"


def test_a_difference_is_of_one_life_of_the_hub() -> None:
    """Given a manifest in force, when a difference to it comes from another epoch of the hub, then it does not fit."""
    current = taken(None, sign(manifest(1, names="a"), KEY))
    document = json.loads(sign(difference(manifest(1, names="a"), manifest(2, names="ab")), KEY).document)
    assert code(apply(current, signed({**document, "hub_epoch": 2}, full=False), PINNED)) == "manifest-base"


@pytest.mark.parametrize("full", [True, False])
def test_grants_that_are_no_table_are_named(full: bool) -> None:
    """Given a list where grants should be, when a document or a difference brings it, then that field is named."""
    current = taken(None, sign(manifest(1), KEY))
    sent = sign(manifest(2), KEY) if full else sign(difference(manifest(1), manifest(2)), KEY)
    refused = apply(current, signed({**json.loads(sent.document), "grants": []}, full=full), PINNED)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.field) == ("manifest-malformed", "grants")


def test_a_restored_hub_starts_a_new_epoch() -> None:
    """Given generation 5 of hub epoch 1, when generation 1 of epoch 2 comes whole, then it is in force."""
    current = taken(None, sign(manifest(5), KEY))
    assert taken(current, sign(manifest(1, hub_epoch=2), KEY)).manifest.hub_epoch == 2


def test_unknown_kinds_of_grant_are_kept_out_and_unknown_fields_kept() -> None:
    """Given a later version's manifest, when it is amended, then its digest stays right and new grants are void."""
    later = msgspec.to_builtins(manifest(1, names="ab"))
    later["grants"]["a"]["kind"] = "exchange"
    later["grants"]["b"]["colour"] = "red"
    later["weather"] = {"sun": True}
    applied = taken(None, signed(later))
    assert applied.kept_out == ("a",)
    assert set(applied.manifest.grants) == {"b"}
    goal = {**later, "generation": 2, "grants": {"a": later["grants"]["a"]}}
    reached = taken(None, signed(goal))
    change = {
        "source": "bank-1",
        "hub_epoch": 1,
        "generation": 2,
        "issued_at": later["issued_at"],
        "base_generation": 1,
        "base": applied.digest,
        "digest": reached.digest,
        "revoke": ["b"],
    }
    amended = taken(applied, signed(change, full=False))
    assert json.loads(amended.document)["weather"] == {"sun": True}
    assert amended.kept_out == ("a",)
    assert not amended.manifest.grants


def test_a_word_that_it_stands_makes_the_list_younger() -> None:
    """Given a manifest in force, when the hub says it still stands, then its age counts from that; never back."""
    one, two = manifest(1), manifest(2)
    current = taken(None, sign(one, KEY))
    later = apply_fresh(current, sign_fresh(one, START + timedelta(hours=5), KEY), PINNED)
    assert isinstance(later, Applied)
    assert later.as_of == START + timedelta(hours=5)
    assert apply_fresh(later, sign_fresh(one, START, KEY), PINNED) == later
    assert code(apply_fresh(current, sign_fresh(two, START, KEY), PINNED)) == "manifest-base"
    assert code(apply_fresh(None, sign_fresh(two, START, KEY), PINNED)) == "manifest-base"
    assert code(apply_fresh(current, sign_fresh(one, START, OTHER_KEY), PINNED)) == "manifest-unsigned"


def test_a_word_is_no_manifest() -> None:
    """Given the signature of a confirmation, when it is shown under a manifest, then it does not hold."""
    word = sign_fresh(manifest(1), START, KEY)
    assert code(apply(None, ManifestSent(word.document, word.signature, full=True), PINNED)) == "manifest-unsigned"


HISTORY = tuple(manifest(n, names=names) for n, names in enumerate(["", "a", "ab", "b", "bc", "abcd", "d"], 1))


@st.composite
def messages(draw: st.DrawFn) -> ManifestSent:
    """A full manifest or a difference of one history; now and then altered or under another key."""
    after = draw(st.integers(0, len(HISTORY) - 1))
    before = draw(st.integers(-1, after - 1)) if after else -1
    key = draw(st.sampled_from([KEY, KEY, KEY, OTHER_KEY]))
    sent = sign(HISTORY[after] if before < 0 else difference(HISTORY[before], HISTORY[after]), key)
    if draw(st.integers(0, 5)):
        return sent
    at = draw(st.integers(0, len(sent.document) - 1))
    altered = sent.document[:at] + draw(st.characters(codec="utf-8")) + sent.document[at + 1 :]
    return msgspec.structs.replace(sent, document=altered)


def expected(current: Manifest | None, sent: ManifestSent) -> Manifest | None:
    """What ought to be in force after a message, by comparing it with the history itself."""
    for at, after in enumerate(HISTORY):
        newer = current is None or after.generation > current.generation
        if sent == sign(after, KEY) and newer:
            return after
        for before in HISTORY[:at]:
            if sent == sign(difference(before, after), KEY) and before == current:
                return after
    return current


@settings(max_examples=80, deadline=None)
@given(st.lists(messages(), max_size=12))
def test_any_sequence_leaves_the_newest_that_fits(sequence: list[ManifestSent]) -> None:
    """Given any sequence of wholes, differences, repeats and forgeries, then the newest fitting one is in force."""
    current: Applied | None = None
    model: Manifest | None = None
    for sent in sequence:
        answer = apply(current, sent, PINNED)
        current = current if isinstance(answer, Refusal) else answer
        model = expected(model, sent)
        assert (current.manifest if current else None) == model
        assert current is None or current.digest == digest_of(current.manifest)


@given(st.text(max_size=200), st.text(max_size=100), st.booleans())
def test_any_text_is_refused_without_a_fault(document: str, signature: str, full: bool) -> None:
    """Given any text as a manifest, when applied, then refused; never an exception."""
    assert code(apply(None, ManifestSent(document, signature, full), PINNED)) == "manifest-unsigned"


@given(
    st.recursive(st.none() | st.integers(-9, 9) | st.text(max_size=5), lambda x: st.lists(x, max_size=3), max_leaves=5)
)
def test_a_signed_document_of_any_form_ends_in_an_answer(value: object) -> None:
    """Given documents the hub's key signed by mistake, when applied, then refused by name; never an exception."""
    whole = msgspec.to_builtins(manifest(1, names="a"))
    for field in whole:
        answer = apply(None, signed({**whole, field: value}), PINNED)
        assert isinstance(answer, Refusal | Applied)
