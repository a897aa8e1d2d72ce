"""Codes: drawn once, known to their point, renewed for a new epoch, gone with the parcel."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from restante.core.access import stretch, verifier
from restante.core.ids import PointId
from restante.hub.people.codes import Codes, Issued, NoCodeFound, at_once, in_threads
from restante.store.ledger import Credential, PointView
from restante.wire.seal import to_text
from tests.hub.worker.town import CHEAP, Town, source_key


def codes_of(town: Town, chance: Callable[[int], bytes] | None = None) -> Codes:
    """The codes of a town, drawn by chance or as a test says."""
    given = {"chance": chance} if chance else {}
    return Codes(town.ledger, town.vault, source_key=source_key, cost=CHEAP, aside=at_once, **given)


def digits(*codes: str) -> Callable[[int], bytes]:
    """Chance that draws these codes, one after the other."""
    left = iter(codes)
    return lambda count: bytes(int(digit) for digit in next(left)).ljust(count, b"\xff")


async def view_of(town: Town, point: PointId) -> PointView:
    """A point as its manifest is made of it."""
    view = await town.ledger.view(point)
    assert view is not None
    return view


def expected(code: str, view: PointView) -> str:
    """The verifier of a code, computed as the source does."""
    source, epoch = view.head.source, view.head.epoch
    stretched = stretch(code, source=source, epoch=epoch, cost=CHEAP)
    return to_text(verifier(source_key(source, epoch), stretched, source=source, epoch=epoch))


async def test_a_code_is_drawn_once_and_known_to_its_point(town: Town) -> None:
    """Given a promise, when a code is issued twice, then it is the same one, and the source recognises it."""
    point = await town.open_point()
    parcel = await town.parcel(await town.announce(point))
    codes = codes_of(town, digits("12345678"))
    first = await codes.issue(parcel, await view_of(town, point))
    again = await codes.issue(parcel, await view_of(town, point))
    assert isinstance(first, Issued)
    assert first.fresh
    assert again == Issued(first.code, fresh=False)
    view = await view_of(town, point)
    assert [one.verifier for one in view.credentials] == [expected("12345678", view)]


async def test_a_code_in_use_is_drawn_again(town: Town) -> None:
    """Given two parcels and a draw that repeats itself, then the second parcel gets another code."""
    point = await town.open_point()
    parcels = [await town.parcel(await town.announce(point)) for _ in range(2)]
    codes = codes_of(town, digits("11111111", "11111111", "22222222"))
    issued = [await codes.issue(parcel, await view_of(town, point)) for parcel in parcels]
    assert [one.code.code for one in issued if one] == ["11111111", "22222222"]
    shown = await town.vault.open_code(parcels[1].id)
    assert shown is not None
    assert shown.code == "22222222"


async def test_chance_that_is_none_is_a_fault(town: Town) -> None:
    """Given a draw that never changes, then the second parcel gets no code rather than the first one's."""
    point = await town.open_point()
    parcels = [await town.parcel(await town.announce(point)) for _ in range(2)]
    codes = codes_of(town, bytes)
    await codes.issue(parcels[0], await view_of(town, point))
    with pytest.raises(NoCodeFound):
        await codes.issue(parcels[1], await view_of(town, point))
    assert await town.vault.open_code(parcels[1].id) is None


async def test_a_crash_between_sealing_and_telling_the_point_keeps_the_code(town: Town) -> None:
    """Given a code that was sealed and not made known, when it is issued again, then the sealed one is made known."""
    point = await town.open_point()
    parcel = await town.parcel(await town.announce(point))
    broken = codes_of(town, digits("12345678"))
    broken._aside = _crash
    with pytest.raises(ZeroDivisionError):
        await broken.issue(parcel, await view_of(town, point))
    issued = await codes_of(town, digits("87654321")).issue(parcel, await view_of(town, point))
    assert issued is not None
    assert issued.code.code == "12345678"
    assert len((await view_of(town, point)).credentials) == 1


async def _crash(_slow: Callable[[], str]) -> str:
    raise ZeroDivisionError


async def test_nobody_known_has_no_code(town: Town) -> None:
    """Given a parcel for nobody, or for somebody forgotten, then no code is drawn and the point learns of none."""
    point = await town.open_point()
    parcel = await town.parcel(await town.announce(point))
    assert parcel.recipient is not None
    nobody = msgspec.structs.replace(parcel, recipient=None)
    view = await view_of(town, point)
    assert await codes_of(town).issue(nobody, view) is None
    await town.vault.forget([parcel.recipient])
    assert await codes_of(town).issue(parcel, view) is None
    assert (await view_of(town, point)).credentials == ()


async def test_a_code_given_up_from_an_old_view_is_made_known_again(town: Town) -> None:
    """Given a view from before a promise, when the point is tidied by it, then the promise's code stays known."""
    point = await town.open_point()
    parcel = await town.parcel(await town.announce(point))
    codes = codes_of(town)
    issued = await codes.issue(parcel, await view_of(town, point))
    assert issued is not None
    view = await view_of(town, point)
    stale = msgspec.structs.replace(view, promises=(), credentials=(Credential(point, parcel.id, 0, "ab"),))
    await codes.tidy(stale)
    assert [one.verifier for one in (await view_of(town, point)).credentials] == [expected(issued.code.code, view)]


async def test_a_couriers_code_is_not_a_parcels(town: Town) -> None:
    """Given a credential of an organisation, when the point is tidied, then it stays."""
    point = await town.open_point()
    await town.ledger.put_credential(Credential(point, "org:nordpost", 1, "ab"))
    await codes_of(town).tidy(await view_of(town, point), thorough=True)
    assert [one.subject for one in (await view_of(town, point)).credentials] == ["org:nordpost"]


async def test_slow_work_is_done_in_threads() -> None:
    """Given a thread to compute in, then what is computed there comes back."""
    with ThreadPoolExecutor(1) as threads:
        assert await in_threads(threads)(lambda: "done") == "done"
