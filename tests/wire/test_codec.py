"""Documents: one form on the way out, strict on the way in, and no bytes that make the reader fail."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from restante.core.refusals import Refusal
from restante.wire import codec

NUMBERS = st.integers(-codec.MAX_INTEGER, codec.MAX_INTEGER) | st.floats(
    allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('aé\u20ac\U0001f600"\\\n', max_size=4), inner),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(st.text("abé\U0001f600", max_size=5), VALUES, max_size=5)


def code_of(result: object) -> str:
    """The code of a refusal, or an empty text."""
    return result.code if isinstance(result, Refusal) else ""


@given(DOCUMENTS)
def test_what_is_written_is_read_back_with_every_field(document: dict[str, Any]) -> None:
    """Given any document, when written and read, then the same value comes back, unknown fields and all."""
    raw = codec.canonical(document)
    assert isinstance(raw, bytes)
    assert codec.decode(raw) == document
    assert codec.canonical(codec.decode(raw)) == raw


@given(DOCUMENTS)
def test_both_ways_of_writing_agree_with_the_reference(document: dict[str, Any]) -> None:
    """Given any document, plain enough for the fast writer or not, then its bytes are those of the rfc8785 package."""
    assert codec.canonical(document) == rfc8785.dumps(document)


def test_control_characters_are_written_as_the_rfc_has_them() -> None:
    """Given every character below 256, and some beyond, then both writers escape the same ones in the same way."""
    text = "".join(map(chr, range(256))) + "\u2028\u2029\ufeff\uffff\U0010ffff"
    assert codec.canonical({"a": text}) == rfc8785.dumps({"a": text})


@given(st.binary(max_size=200) | st.text('{}[]",:\\u0dD8 1e-9.tnf', max_size=80).map(str.encode))
def test_any_bytes_are_a_document_or_a_refusal(raw: bytes) -> None:
    """Given any bytes, when read, then an object that can be written again, or a refusal; never an exception."""
    result = codec.decode(raw)
    assert isinstance(result, Refusal) or isinstance(codec.canonical(result), bytes)


def test_the_canonical_form_is_that_of_the_rfc() -> None:
    """Keys in UTF-16 order and numbers as ECMAScript prints them (RFC 8785 §3.2)."""
    document = {"\u20ac": 1, "\r": 2, "\U0001f600": 3, "1": 4.50, "\ufb33": 1e-7, "a": [None, True, 2e-3, 1.0]}
    raw = codec.canonical(document)
    assert raw == '{"\\r":2,"1":4.5,"a":[null,true,0.002,1],"\u20ac":1,"\U0001f600":3,"\ufb33":1e-7}'.encode()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "document-malformed"),
        (b"{", "document-malformed"),
        (b"{}x", "document-malformed"),
        (b'{"a":01}', "document-malformed"),
        (b'\xef\xbb\xbf{"a":1}', "document-malformed"),
        (b'{"a":"\xff"}', "document-malformed"),
        ('{"a":1}'.encode("utf-16"), "document-malformed"),
        (b"[]", "document-not-an-object"),
        (b"1", "document-not-an-object"),
        (b'{"a":1,"a":1}', "duplicate-key"),
        (b'{"b":{"a":1,"\\u0061":2}}', "duplicate-key"),
        (b'{"a":9007199254740992}', "number-out-of-range"),
        (b'{"a":-9007199254740992}', "number-out-of-range"),
        (b'{"a":' + b"9" * 5000 + b"}", "document-malformed"),
        (b'{"a":1e999}', "number-out-of-range"),
        (b'{"a":1e17}', "number-out-of-range"),
        (b'{"a":NaN}', "number-out-of-range"),
        (b'{"a":-Infinity}', "number-out-of-range"),
        (b'{"a":"\\ud800"}', "text-not-unicode"),
        (b'{"\\udfff":1}', "text-not-unicode"),
        (b'{"\\udfff":1,"\\udfff":1}', "duplicate-key"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "document-too-deep"),
        (b"[" * 100_000, "document-too-deep"),
        (b'{"a":[' + b"[]," * 100_000 + b"[" * 100_000, "document-too-deep"),
        (b'{"a":"' + b"x" * codec.MAX_DOCUMENT_BYTES + b'"}', "document-too-large"),
    ],
)
def test_documents_that_readers_could_understand_differently_are_refused(raw: bytes, code: str) -> None:
    """Given bytes that are broken or ambiguous, when read, then a refusal that names why, which itself can be shown."""
    result = codec.decode(raw)
    assert code_of(result) == code
    assert isinstance(result, Refusal)
    json.dumps([result.field, result.detail], ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"seq": 2**53}, "number-out-of-range"),
        ({"a": [1.5, 2**53]}, "number-out-of-range"),
        ({"é": 1.5, "a": 2**53}, "number-out-of-range"),
        ({"a": {"b": [float("inf")]}}, "number-out-of-range"),
        ({"a": "\ud834"}, "text-not-unicode"),
        ({1: "a"}, "document-malformed"),
        ({"a": b"bytes"}, "document-malformed"),
        ({"a": {1, 2}}, "document-malformed"),
    ],
)
def test_values_that_json_cannot_hold_are_refused(value: object, code: str) -> None:
    """Given a value outside JSON's common ground, when written, then a refusal, and no bytes somebody could sign."""
    assert code_of(codec.canonical(value)) == code


def test_a_value_that_nests_without_end_is_refused() -> None:
    """Given a list that holds itself, when written, then it is too deep."""
    endless: list[object] = []
    endless.append(endless)
    assert code_of(codec.canonical({"a": endless})) == "document-too-deep"


def nested(levels: int) -> dict[str, Any]:
    """An object so many levels deep, with shallow neighbours."""
    value: Any = [[], [[]], {}]
    for _ in range(levels - 4):
        value = [[], value]
    return {"a": value}


def test_bounds_are_the_last_that_is_taken() -> None:
    """Given documents as deep and as long as may be, when read and written, then they pass; one more does not."""
    deepest, raw = nested(codec.MAX_DEPTH), json.dumps(nested(codec.MAX_DEPTH)).encode()
    assert codec.decode(raw, max_bytes=len(raw)) == deepest
    assert code_of(codec.decode(raw, max_bytes=len(raw) - 1)) == "document-too-large"
    assert isinstance(codec.canonical(deepest), bytes)
    deeper = nested(codec.MAX_DEPTH + 1)
    assert code_of(codec.decode(json.dumps(deeper).encode())) == "document-too-deep"
    too_deep: Any = 1
    for _ in range(codec.MAX_DEPTH + 1):
        too_deep = {"a": too_deep}
    assert code_of(codec.canonical(too_deep)) == "document-too-deep"
    assert isinstance(codec.canonical(too_deep["a"]), bytes)
    assert (codec.flaw(too_deep["a"]), codec.flaw(too_deep)) == (None, codec.canonical(too_deep))


def test_numbers_are_written_as_the_rfc_has_them_among_plain_names() -> None:
    """Given fractions and whole floats under ASCII names, when written, then as ECMAScript has them."""
    assert codec.canonical({"a": 1.0, "b": [1e-7, {"c": 2.5}]}) == b'{"a":1,"b":[1e-7,{"c":2.5}]}'


@pytest.mark.parametrize("inside", [lambda value: value, lambda value: {"a": [value]}], ids=["itself", "in a list"])
def test_names_without_any_number_are_in_the_order_of_the_rfc_too(inside: Any) -> None:
    """Given names that UTF-16 orders otherwise than code points, when written, then in its order (RFC 8785 §3.2.3)."""
    named = {"\ufb33": "a", "\U0001f600": "b"}
    assert codec.canonical(inside(named)) == rfc8785.dumps(inside(named))
    assert codec.canonical(named) == '{"\U0001f600":"b","\ufb33":"a"}'.encode()


def test_a_refusal_names_the_field_shortly() -> None:
    """Given a number out of range under a long name, when refused, then the field is its first 64 letters."""
    refused = codec.canonical({"n" * 100: 2**53})
    assert isinstance(refused, Refusal)
    assert refused.field == "n" * 64


def test_brackets_inside_strings_do_not_count_as_depth() -> None:
    """Given a text full of brackets, when read, then it is only text."""
    text = '[[{"\\' * 100
    assert codec.decode(json.dumps({"a": text}).encode()) == {"a": text}


def test_a_quote_bomb_is_read_in_linear_time() -> None:
    """Given a megabyte of escaped quotes never closed, when read, then a refusal, at once: the scan never goes back."""
    assert code_of(codec.decode(b'{"a":"' + b'\\"' * 500_000)) == "document-malformed"


def test_a_digest_is_that_of_a_leaf() -> None:
    """The digest of no bytes is SHA-256 of the one byte 0x00 (RFC 6962 §2.1), as published for the empty leaf."""
    assert codec.digest(b"") == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
