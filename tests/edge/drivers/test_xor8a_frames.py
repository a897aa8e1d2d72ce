"""The frames of the 8A/80 boards, held against captured bytes and against any bytes at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.edge.drivers.xor8a_frames import (
    LONGEST,
    AllStatus,
    LockMoved,
    OpenAnswered,
    OpenOne,
    QueryAll,
    Reply,
    Request,
    bcc,
    encode,
    parse,
    sealed,
)


def replies_in(data: bytes) -> tuple[Reply, ...]:
    """What `data` says when silence follows it."""
    return parse(data, is_silent=True)[1]


@pytest.mark.parametrize(
    ("request_", "frame"),
    [(OpenOne(1, 1), "8A 01 01 11 9B"), (QueryAll(1), "80 01 00 33 B2")],
)
def test_requests_are_the_documented_bytes(request_: Request, frame: str) -> None:
    """Given a request, then its frame is the one in the vendors' tables."""
    assert encode(request_) == bytes.fromhex(frame)


@pytest.mark.parametrize(
    ("frame", "reply"),
    [
        ("8A 01 01 00 8A", OpenAnswered(1, 1, 0x00)),
        ("80 01 00 00 00 33 B2", AllStatus(1, bytes(3))),
        ("80 01 00 00 02 33 B0", AllStatus(1, bytes((0, 0, 2)))),
        ("82 01 03 11 91", LockMoved(1, 3, 0x11)),
        ("82 01 03 00 80", LockMoved(1, 3, 0x00)),
    ],
)
def test_captured_replies_are_understood(frame: str, reply: Reply) -> None:
    """Given a reply captured on hardware or printed by a vendor, then it is understood."""
    assert replies_in(bytes.fromhex(frame)) == (reply,)


@pytest.mark.parametrize("lock", [0, -1, 51, 256])
def test_no_frame_opens_every_door(lock: int) -> None:
    """Given lock 0 (every door) or a lock that cannot be, when a frame is wanted, then there is none."""
    with pytest.raises(AssertionError, match="lock"):
        encode(OpenOne(1, lock))


@pytest.mark.parametrize("board", [0, 32])
@pytest.mark.parametrize("kind", [QueryAll, lambda board: OpenOne(board, 1)])
def test_no_frame_for_a_board_that_cannot_be(kind: type[QueryAll], board: int) -> None:
    """Given a board outside 1-31, when a frame is wanted, then there is none."""
    with pytest.raises(AssertionError, match="board"):
        encode(kind(board))


@given(st.integers(1, 31), st.integers(1, 50))
def test_every_frame_that_can_be_built_names_one_lock_or_only_asks(board: int, lock: int) -> None:
    """For every board and lock: an opening frame has one lock that is not 0, and the other kind opens nothing."""
    opening, asking = encode(OpenOne(board, lock)), encode(QueryAll(board))
    assert (len(opening), opening[0], opening[2]) == (5, 0x8A, lock)
    assert (len(asking), asking[0], asking[3]) == (5, 0x80, 0x33)


frames = st.one_of(
    st.builds(lambda b, k, s: sealed(0x8A, b, k, s), st.integers(1, 31), st.integers(1, 50), st.sampled_from([0, 17])),
    st.builds(lambda b, k, s: sealed(0x82, b, k, s), st.integers(1, 31), st.integers(1, 50), st.sampled_from([0, 17])),
    st.builds(lambda b, s: sealed(0x80, b, *s, 0x33), st.integers(1, 31), st.binary(min_size=1, max_size=7)),
)
noise = st.binary(max_size=20).map(lambda data: bytes(byte & 0x7F for byte in data))


@settings(max_examples=200)
@given(st.lists(st.one_of(st.binary(max_size=30), frames), max_size=12), st.booleans())
def test_any_bytes_end_in_replies_a_wait_or_a_skip(chunks: list[bytes], is_silent: bool) -> None:
    """For any bytes: no exception, fewer than eleven bytes kept, and after silence none."""
    buffer = b""
    for chunk in chunks:
        buffer, _ = parse(buffer + chunk, is_silent=False)
        assert len(buffer) < LONGEST
    assert not parse(buffer, is_silent=True)[0]


@settings(max_examples=200)
@given(st.lists(st.one_of(st.binary(max_size=12), frames), max_size=8))
def test_how_bytes_are_split_does_not_matter(parts: list[bytes]) -> None:
    """For any bytes, one by one or at once: the same replies."""
    whole, buffer, found = b"".join(parts), b"", list[Reply]()
    for byte in whole:
        buffer, replies = parse(buffer + bytes((byte,)), is_silent=False)
        found += replies
    assert tuple(found) + replies_in(buffer) == replies_in(whole)


@given(noise, frames)
def test_noise_before_a_frame_is_skipped(before: bytes, frame: bytes) -> None:
    """For any noise without a header byte in front of a frame: the frame is found."""
    assert replies_in(before + frame) == replies_in(frame) != ()


@given(frames, st.data())
def test_one_flipped_bit_never_passes(frame: bytes, data: st.DataObject) -> None:
    """For any frame with one bit flipped: it is not taken as a whole frame any more."""
    at = data.draw(st.integers(0, 8 * len(frame) - 1))
    broken = bytearray(frame)
    broken[at // 8] ^= 1 << at % 8
    assert bcc(bytes(broken)) != 0
    assert not set(replies_in(bytes(broken))) & set(replies_in(frame))


def test_a_status_that_looks_like_an_end_does_not_cut_the_frame() -> None:
    """Given status bytes that form a shorter sound frame, when silence comes, then the longer one is taken."""
    short = sealed(0x80, 1, 0x05, 0x33)
    long = sealed(*short, 0x07, 0x33)
    assert bcc(short) == bcc(long) == 0
    assert replies_in(long) == (AllStatus(1, long[2:-2]),)
    assert parse(short, is_silent=False) == (short, ())


@pytest.mark.parametrize("count", range(1, 8))
@pytest.mark.parametrize("behind", range(7))
def test_a_status_is_found_whatever_its_length_and_what_comes_behind(count: int, behind: int) -> None:
    """Given status bytes in any number, when noise follows them before silence, then they are found."""
    assert replies_in(sealed(0x80, 1, *bytes(count), 0x33) + bytes(behind)) == (AllStatus(1, bytes(count)),)


def test_a_status_without_a_byte_is_none() -> None:
    """Given a sound frame that tells of no lock at all, when read, then it is no reply."""
    assert replies_in(sealed(0x80, 1, 0x33)) == ()
