"""What comes of words that only a later version knows: fields are passed over, kinds are refused by name."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.events import AnyEvent
from restante.core.refusals import Refusal
from restante.store import bodies
from restante.wire import enrol
from restante.wire import session as wire
from tests.core.test_tables import GOLDEN
from tests.wire.samples import ENROLMENT, MESSAGES, tag

LATER = {"of_a_later_version": {"sun": [1, True, None]}}


def with_more(encoded: bytes | str) -> bytes:
    """A message with a field of a later version."""
    return json.dumps(json.loads(encoded) | LATER).encode()


def heard(frame: bytes) -> list[Any]:
    """A frame of a session as both ends read it."""
    return [wire.read_from_source(frame), wire.read_from_hub(frame)]


@pytest.mark.parametrize("message", MESSAGES, ids=tag)
def test_a_field_of_a_later_version_is_passed_over(message: wire.FromSource | wire.FromHub) -> None:
    """Given a message with one field more, when read by whom it is for, then it says what it says without it."""
    assert message in heard(with_more(wire.encode(message)))


@pytest.mark.parametrize("said", ENROLMENT, ids=tag)
def test_a_field_of_a_later_enrolment_is_passed_over(said: enrol.Request | enrol.Answer) -> None:
    """Given a message of an enrolment with one field more, when read, then it says what it says without it."""
    raw = with_more(enrol.encode(said))
    assert said in (enrol.decode_request(raw), enrol.decode_answer(raw))


@given(st.text(max_size=20).filter(lambda kind: kind not in {tag(one) for one in (*MESSAGES, *ENROLMENT)}))
def test_a_kind_of_message_that_is_not_known_is_refused_by_name(kind: str) -> None:
    """Given a message of any kind that is none of this version's, when read, then it is refused, and by its code."""
    frame = json.dumps({"type": kind, **LATER}).encode()
    for found in heard(frame):
        assert isinstance(found, Refusal)
        assert (found.code, found.field) == ("message-malformed", "frame")
    for answer in (enrol.decode_request(frame), enrol.decode_answer(frame)):
        assert answer == Refusal("enrolment-malformed")


@pytest.mark.parametrize(
    ("theirs", "spoken"), [((2, 1), 1), ((99, 2, 1, 0), 1), ((1,), 1), ((2,), None), ((0,), None), ((), None)]
)
def test_the_newest_version_that_both_know_is_spoken(theirs: tuple[int, ...], spoken: int | None) -> None:
    """Given what a later or earlier peer speaks, when agreed, then it is the newest of ours among it, or none."""
    assert wire.agreed_version(theirs) == spoken


def test_a_stored_kind_that_is_not_known_is_a_fault() -> None:
    """Given an event or a task of a kind that a later version stores, when read, then it is not taken for another."""
    for decoder, field in ((bodies.EVENT, "event"), (bodies.TASK, "task")):
        with pytest.raises(msgspec.ValidationError):
            decoder.decode(json.dumps({field: "of-a-later-version", "kind": "of-a-later-version", "type": "later"}))


def test_a_field_of_a_later_event_is_passed_over() -> None:
    """Given the golden events with one field more, when read, then each says what it says without it."""
    for path in GOLDEN.glob("*.json"):
        raw = path.read_bytes()
        assert bodies.EVENT.decode(with_more(raw)) == msgspec.json.decode(raw, type=AnyEvent)
