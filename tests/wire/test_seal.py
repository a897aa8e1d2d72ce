"""Signatures hold for one document and one use, and their text forms have one spelling."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from restante.wire import seal

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
CONTEXTS = [seal.MANIFEST, seal.MANIFEST_FRESH, seal.JOURNAL_HEAD, seal.COMMAND]


@given(st.binary(max_size=100), st.sampled_from(CONTEXTS), st.sampled_from(CONTEXTS))
def test_a_signature_holds_for_its_own_use_only(document: bytes, made_for: bytes, shown_as: bytes) -> None:
    """Given a signature for one use, when shown for another, then it does not hold."""
    signature = seal.sign(KEY, made_for, document)
    held = seal.verify(KEY.public_key(), signature, context=shown_as, document=document)
    assert held == (made_for == shown_as)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_flipped_bit_anywhere_breaks_the_signature(document: bytes, data: st.DataObject) -> None:
    """Given a signed document, when one bit of it or of the signature flips, then it does not hold."""
    signature = seal.sign(KEY, seal.COMMAND, document)
    both = bytearray(signature + document)
    bit = data.draw(st.integers(0, len(both) * 8 - 1))
    both[bit // 8] ^= 1 << bit % 8
    assert not seal.verify(KEY.public_key(), bytes(both[:64]), context=seal.COMMAND, document=bytes(both[64:]))


def test_bytes_cannot_move_between_context_and_document() -> None:
    """Given contexts where one begins another, when bytes are shifted over the border, then the signature is void."""
    signature = seal.sign(KEY, b"ab", b"c")
    assert not seal.verify(KEY.public_key(), signature, context=b"a", document=b"bc")


def test_another_key_signs_another_signature() -> None:
    """Given a signature, when checked with somebody else's key, then it does not hold."""
    signature = seal.sign(OTHER, seal.COMMAND, b"open")
    assert not seal.verify(KEY.public_key(), signature, context=seal.COMMAND, document=b"open")


@given(st.binary(max_size=200))
def test_any_bytes_may_be_offered_as_a_signature(signature: bytes) -> None:
    """Given any bytes, when checked as a signature, then the answer is no; never an exception."""
    assert not seal.verify(KEY.public_key(), signature, context=seal.COMMAND, document=b"open")


@given(st.binary(max_size=80))
def test_text_forms_read_back(raw: bytes) -> None:
    """Given bytes, when spelled and read, then the same bytes."""
    assert seal.from_text(seal.to_text(raw)) == raw


@given(st.text(max_size=60) | st.text("Aa0-_=+/ \n", max_size=12))
def test_each_accepted_text_is_the_only_one_for_its_bytes(text: str) -> None:
    """Given any text, when read, then refused, or exactly what would have been written."""
    raw = seal.from_text(text)
    assert raw is None or seal.to_text(raw) == text
    assert seal.public_key_from_text(text) is None or raw is not None


def test_a_public_key_reads_back_and_other_lengths_do_not() -> None:
    """Given a key's text, then the key; given one byte less, then none."""
    text = seal.public_key_to_text(KEY.public_key())
    assert seal.public_key_from_text(text) == KEY.public_key()
    assert seal.public_key_from_text(seal.to_text(bytes(31))) is None


def test_a_context_is_never_empty() -> None:
    """Given no context, when signing, then that is a bug of ours."""
    with pytest.raises(AssertionError):
        seal.sign(KEY, b"", b"x")
