"""The style sheet: whatever a page names has a look, in every theme."""

import re

import msgspec
import pytest

from restante.core.refusals import Refusal
from restante.plan.reporting.ground import Ground
from restante.plan.reporting.look import CONTRAST, DARK, LIGHT, STYLE
from restante.plan.reporting.routing_page import routing_page
from restante.plan.reporting.siting_page import siting_page
from restante.plan.routing.proposal import Shortfall
from restante.plan.siting.proposal import Unmet
from tests.plan.reporting import cities, vans
from tests.plan.reporting.reading import Read
from tests.plan.reporting.test_siting_map import STREET, walking


def pages() -> list[str]:
    """A page of each kind, with all that may stand in it."""
    day, city = vans.told(), cities.told()
    short = msgspec.structs.replace(day, found=Shortfall((Refusal("routing-fleet"),), day.plan))
    proven = msgspec.structs.replace(day, found=msgspec.structs.replace(day.plan, bound_m=1.0, bound_of="a model"))
    ground = Ground((STREET,), walking(), "© somebody")
    unmet = Unmet(Refusal("plan-budget-too-small"), 2.0, 1.0, city.plan)
    mapped = msgspec.structs.replace(city, ground=ground)
    return [
        routing_page(short),
        routing_page(proven),
        siting_page(mapped),
        siting_page(msgspec.structs.replace(city, found=unmet)),
    ]


def test_every_class_has_a_rule() -> None:
    """A shape that no rule knows would be drawn black."""
    read = [Read(page) for page in pages()]
    classes = {name for one in read for _, key, value in one.attributes if key == "class" for name in value.split()}
    assert {name for name in classes if not re.search(rf"\.{name}(?![\w-])", STYLE)} == set()
    assert {"second", "third", "kept", "near", "unmet"} <= classes


@pytest.mark.parametrize("theme", [LIGHT, DARK, CONTRAST])
def test_every_colour_is_in_every_theme(theme: dict[str, str]) -> None:
    """What rules and pages ask for is there by day, by night and in high contrast."""
    asked = set(re.findall(r"var\(--([\w-]+)\)", STYLE + "".join(pages()))) - {"font"}
    assert asked <= theme.keys()
