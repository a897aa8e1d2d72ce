"""Words that stand in books, are spoken at the loopback door, or are aimed at by proofs: none may change in silence."""

from enum import StrEnum
from typing import Any

import msgspec
import pytest

from restante.core.bank import RoomClass
from restante.core.stay import By
from restante.edge import loopback
from restante.edge.boards.steel import Deed, Trouble
from restante.edge.drivers.evidence import Evidence, NoChange, Opened
from restante.edge.drivers.port import Door, Item
from restante.edge.drivers.xor8a import ByteOrder, Feedback
from restante.edge.inputs import Choice
from restante.edge.loopback import NotDone, read_answer, read_request
from restante.edge.moments import NOTES_FILE, NOWHERE, VARIABLE, Moment
from restante.edge.state import After, Putting, Stage, Taking
from tests.edge.rig import parcel

WORDS: dict[type[StrEnum], str] = {
    Stage: "pulsed resting doubtful interrupted open",
    After: "put-in next-door larger nothing",
    Choice: "too-big full refused damaged another-door together take-back done close-round",
    Deed: "pull push force put take jam block mend",
    Trouble: "none jammed blocked",
    Door: "closed open unknown",
    Item: "yes no unknown",
    Evidence: "sensor ack none",
    Feedback: "closing opening",
    ByteOrder: "msb_first lsb_first",
}
REQUESTS: dict[str, Any] = {
    '{"type":"enter-code","text":"1"}': loopback.EnterCode("1", "keypad"),
    '{"type":"enter-code","text":"1","channel":"qr"}': loopback.EnterCode("1", "qr"),
    '{"type":"scan-parcel","text":"P"}': loopback.ScanParcel("P"),
    '{"type":"choose","choice":"done"}': loopback.Choose(Choice.DONE),
    '{"type":"inspect","door":3}': loopback.Inspect(3),
    '{"type":"touch-door","door":3,"deeds":["pull","push"]}': loopback.TouchDoor(3, (Deed.PULL, Deed.PUSH)),
    '{"type":"set-link","up":true}': loopback.SetLink(True),
    '{"type":"status"}': loopback.AskStatus(),
    '{"type":"watch","after":7}': loopback.Watch(7),
}


@pytest.mark.parametrize(("words", "kind"), [(words, kind) for kind, words in WORDS.items()], ids=str)
def test_words_that_others_know_stay(kind: type[StrEnum], words: str) -> None:
    """Given a kind of words that is kept or spoken, then its words are these, in this order."""
    assert " ".join(word.value for word in kind) == words


def test_a_moment_is_aimed_at_by_its_name() -> None:
    """Given the moments a proof may aim at, then each is called as its name reads; so are the two keys."""
    assert {moment.value for moment in Moment} == {name.lower().replace("_", "-") for name in Moment.__members__}
    assert (VARIABLE, NOTES_FILE, NOWHERE) == ("RESTANTE_KILL_AT", "killed-on-purpose", "nowhere")


def test_what_is_under_way_is_kept_under_its_word() -> None:
    """Given tasks at a door, when kept in a book, then their kinds are words that a later program knows."""
    tasks = (Putting(parcel(1), "g", RoomClass("1"), By.COURIER), Taking((), "g", By.COURIER))
    assert [msgspec.to_builtins(task)["type"] for task in tasks] == ["putting", "taking"]
    assert (Opened().evidence, NoChange().alarm) == ("sensor", "lock.jammed_or_obstructed")


@pytest.mark.parametrize(("frame", "request_"), REQUESTS.items())
def test_a_kiosk_asks_in_these_words(frame: str, request_: object) -> None:
    """Given a request as a kiosk of any version writes it, when read, then it is understood."""
    assert read_request(frame) == read_request(frame.encode()) == request_


def test_a_request_of_any_length_is_answered() -> None:
    """Given a frame at the bound and one beyond, a frame that is no text, and a deep one, then each is answered."""
    spaces = " " * (loopback.MAX_REQUEST_BYTES - len('{"type":"status"}'))
    assert read_request(spaces + '{"type":"status"}') == loopback.AskStatus()
    assert read_request(spaces + ' {"type":"status"}') == NotDone("too long")
    for frame in (b"\xff\xfe", "[" * 5_000, '{"type":"open-all"}'):
        answer = read_request(frame)
        assert isinstance(answer, NotDone)
        assert 0 < len(answer.why) <= 160
    assert (loopback.MAX_REQUEST_BYTES, loopback.LOOPBACK_FILE) == (8_192, "loopback.json")


def test_answers_are_told_apart_by_their_words() -> None:
    """Given an answer that is none, and one that nothing was done, then they are read as such."""
    assert read_answer('{"type":"not-done","why":"no such door"}') == NotDone("no such door")
    with pytest.raises(msgspec.DecodeError):
        read_answer('{"type":"status~"}')
