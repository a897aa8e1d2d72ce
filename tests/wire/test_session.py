"""Frames of a session: whatever comes over a line ends in a message or a refusal, and in nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.refusals import Refusal
from restante.wire.session import MAX_MESSAGE_BYTES, Ping, encode, read_from_hub, read_from_source

DEEP = 100_000


@pytest.mark.parametrize("read", [read_from_source, read_from_hub])
@pytest.mark.parametrize(
    "frame",
    [
        pytest.param('{"type":' * DEEP, id="objects"),
        pytest.param('{"type":"ping","number":1,"more":' + "[" * DEEP, id="in an unknown field"),
        pytest.param('{"more":' + "[" * DEEP + "]" * DEEP + ',"type":"ping","number":1}', id="before its kind"),
    ],
)
def test_a_frame_too_deep_to_read_is_refused(read: object, frame: str) -> None:
    """Given a frame that nests deeper than any reader can follow, when it is read, then it is refused."""
    assert callable(read)
    answer = read(frame)
    assert isinstance(answer, Refusal)
    assert answer.code == "message-malformed"


@given(st.text(max_size=200) | st.binary(max_size=200) | st.integers(0, 400).map(lambda cut: encode(Ping(7))[:cut]))
def test_no_frame_upsets_a_reader(frame: str | bytes) -> None:
    """Given any text, bytes or piece of a message, when it is read, then a message or a refusal is what comes of it."""
    for read in (read_from_source, read_from_hub):
        assert isinstance(read(frame), Refusal | Ping)


def test_a_frame_is_as_long_as_may_be_and_no_longer() -> None:
    """Given a message filled up with space, when read, then to the last byte allowed; one more is refused by length."""
    filled = encode(Ping(7)).ljust(MAX_MESSAGE_BYTES)
    for read in (read_from_source, read_from_hub):
        assert read(filled) == Ping(7)
        refused = Refusal("message-malformed", "frame", f"{len(filled) + 1} bytes, at most {len(filled)}")
        assert read(filled.ljust(len(filled) + 1)) == refused
