"""Custody from the announcement to the end: given a stage, when a command or fact comes, then these events follow."""

from restante.core import parcel as stages
from restante.core.stay import By
from tests.core.scene import PARCEL, City, kinds


def test_the_forward_way() -> None:
    """Announced, promised, put in, told, collected: each step gives its events and its stage."""
    city = City()
    assert kinds(city.announces()) == ["ParcelAnnounced"]
    assert isinstance(city.stage(), stages.Announced)
    assert kinds(city.does(city.reserve())) == ["RoomReserved"]
    assert isinstance(city.stage(), stages.Promised)
    stay = city.puts_in()
    assert kinds(city.log[-2:]) == ["ParcelDeposited", "PromiseEnded"]
    assert isinstance(city.stage(), stages.Deposited)
    assert kinds(city.notifies(stay)) == ["NoticeGiven", "HoldStarted"]
    assert isinstance(city.stage(), stages.Held)
    assert kinds(city.takes_out(stay)) == ["ParcelWithdrawn"]
    assert city.stage() == stages.Collected(city.now, By.RECIPIENT)
    assert city.parcel().id == PARCEL
