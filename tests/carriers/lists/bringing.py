"""Judges a list that is given as bytes, as the command line does it with a file."""

import io
from collections.abc import Mapping

from restante.carriers.lists.dialects import PARCELS, POINTS
from restante.carriers.lists.parcels import KnownPoints, ParcelJudge
from restante.carriers.lists.points import Ground, Judged, PointJudge
from restante.carriers.lists.reading import Record, records
from restante.carriers.lists.survey import Survey, Wish, survey
from restante.core.refusals import Refusal


def looked_through(content: bytes, wish: Wish | None = None) -> Survey | Refusal:
    """What is found out about a list of points."""
    return survey(lambda: io.BytesIO(content), POINTS, wish or Wish())


def rows_of(content: bytes, form: Survey) -> list[Record]:
    """The rows of a list that can be read to its end."""
    read = list(records(lambda: io.BytesIO(content), form.form))
    assert not [one for one in read if isinstance(one, Refusal)]
    return [one for one in read if isinstance(one, Record)]


def judged(content: bytes, wish: Wish | None = None, *, zone: str = "") -> list[Judged]:
    """What becomes of each point of a list; of none if the list is refused."""
    found = looked_through(content, wish)
    if isinstance(found, Refusal):
        return []
    asked = wish.country if wish else ""
    judge = PointJudge(found.columns, Ground(asked, found.country, found.bulk, zone))
    read = records(lambda: io.BytesIO(content), found.form)
    return [judge.judge(one) for one in read if isinstance(one, Record)]


def parcels_judged(content: bytes, points: KnownPoints | None = None) -> list[Judged]:
    """What becomes of each parcel of a list; of none if the list is refused."""
    found = survey(lambda: io.BytesIO(content), PARCELS, Wish())
    if isinstance(found, Refusal):
        return []
    judge = ParcelJudge(found.columns, points)
    read = records(lambda: io.BytesIO(content), found.form)
    return [judge.judge(one) for one in read if isinstance(one, Record)]


def rejected(rows: list[Judged]) -> Mapping[int, set[str]]:
    """The rules that keep rows out, by the number of the row."""
    return {row.number: {one.rule for one in row.findings if one.rejects} for row in rows if row.is_rejected}
