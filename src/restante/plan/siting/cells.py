"""Who is sent parcels where, and where points may stand: what siting starts from and importing hands over."""

import msgspec

from restante.core.bank import SourceKind


class Cell(msgspec.Struct, frozen=True):
    """Some addresses taken together: where they are (degrees), their district, parcels a day by size rank."""

    id: str
    latitude: float
    longitude: float
    district: str
    parcels_per_day: tuple[float, ...]


class Site(msgspec.Struct, frozen=True):
    """Where a point may stand, or stands already: its host, its yearly cost without modules, and what people like."""

    id: str
    latitude: float
    longitude: float
    host: str
    cost_minor_per_year: int
    room_modules: int
    kind: SourceKind = SourceKind.BANK
    open_hours_per_week: float = 168.0
    step_free: bool = True
    watched: bool = False
    standing: bool = False
