"""A name means one thing, also when the connection broke between two questions."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import psycopg
import pytest

from restante.core.ids import Lane, OrgId, ParcelId, laned_id
from restante.store.directory import Claim, RequestNote, code_of, open_directory
from restante.store.gathering import Gathering

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ORG = OrgId('a "quoted" carrier, {in braces}')


def claim(number: int, reference: bytes = b"A-1") -> Claim:
    """A claim of a reference for the n-th parcel."""
    parcel = ParcelId(laned_id(NOW, number.to_bytes(8, "big"), Lane(0)))
    return Claim(ORG, reference.ljust(32), b"content", parcel, NOW)


async def test_a_broken_connection_is_got_over(database: str) -> None:
    """Given a claim, when the server cuts the connection and it is claimed again, then it means the first parcel."""
    async with open_directory(database, key=bytes(32), connections=1) as directory:
        (first,) = await directory.claim([claim(1)])
        with psycopg.connect(database, autocommit=True) as db:
            db.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        (second,) = await directory.claim([claim(2)])
        assert first == second
        assert await directory.parcel_of(claim(1).name) == await directory.parcel_of_code(first.code) == first.parcel


async def test_a_code_that_is_taken_is_drawn_anew(database: str) -> None:
    """Given a code that another parcel has, when a reference is claimed, then it gets the next one, and keeps it."""
    taken, other = claim(1), claim(2)
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("INSERT INTO code_directory VALUES (%s, %s)", [code_of(taken.parcel, 0), other.parcel])
    async with open_directory(database, key=bytes(32)) as directory:
        for _ in range(2):
            (named,) = await directory.claim([taken])
            assert named.code == code_of(taken.parcel, 1)


async def test_what_is_claimed_already_keeps_nobody_else_out(database: str) -> None:
    """Given a claimed reference, when it is claimed with others, in other words and twice, then each has its answer."""
    async with open_directory(database, key=bytes(32)) as directory:
        (first,) = await directory.claim([claim(1)])
        other = msgspec.structs.replace(claim(2), content=b"other words")
        told = await directory.claim([claim(3, b"B"), other, claim(4, b"C"), claim(5, b"C")])
        assert [one.parcel for one in told] == [claim(n).parcel for n in (3, 1, 4, 4)]
        assert [one.same for one in told] == [True, False, True, True]
        assert told[1].code == first.code
        for one in told:
            assert await directory.parcel_of_code(one.code) == one.parcel
        for unused in (claim(2), claim(5)):
            assert await directory.parcel_of_code(code_of(unused.parcel, 0)) is None


async def test_questions_wait_for_those_that_come_with_them() -> None:
    """Given a question, when another comes a turn of the loop later, then one trip answers both."""
    trips: list[list[int]] = []

    async def run(questions: Sequence[int]) -> Sequence[int]:
        trips.append(list(questions))
        return questions

    async def later(gathering: Gathering[int, int]) -> Sequence[int]:
        await asyncio.sleep(0)
        return await gathering.ask([2])

    gathering = Gathering(run)
    first, second = await asyncio.gather(gathering.ask([1]), later(gathering))
    assert (first, second) == ([1], [2])
    assert trips == [[1, 2]]


async def test_the_first_request_under_a_key_stands(database: str) -> None:
    """Given two requests under one key, then the first is told, with what it was bound to and answered."""
    first = RequestNote(ORG, b"key".ljust(32), b"asked", NOW)
    async with open_directory(database, key=bytes(32)) as directory:
        assert await directory.note(first) == first
        assert await directory.pin(first, "here") == await directory.pin(first, "there") == "here"
        assert await directory.keep_answer(first, b"\0one") == await directory.keep_answer(first, b"two") == b"\0one"
        again = await directory.note(RequestNote(ORG, first.name, b"other", NOW))
        assert (again.content, again.at, again.pinned, again.answer) == (b"asked", NOW, "here", b"\0one")
