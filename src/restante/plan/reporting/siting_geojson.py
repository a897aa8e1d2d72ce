"""A plan for sites as GeoJSON: a feature for every point that opens, stays or closes."""

from restante.plan.reporting.geojson import Feature, Properties, collection, point
from restante.plan.reporting.snapshot import Point, Sited, doors_of, points_of
from restante.plan.siting.comparing import GROUND
from restante.plan.siting.proposal import Proposal, Unmet


def siting_geojson(told: Sited) -> str:
    """The points of the plan or of the best relaxed one; ``about`` tells model, bound, assumptions, what is not met."""
    plan = told.plan
    points = points_of(told, plan) if plan else ()
    return collection([_feature(told, one) for one in points], {"title": told.title, **_unmet(told), **_about(plan)})


def _feature(told: Sited, one: Point) -> Feature:
    shown = one.shown
    properties: Properties = {
        "host": one.site.host,
        "kind": one.site.kind,
        "fate": one.fate.name.lower(),
        **(
            {
                "columns": shown.columns,
                "doors": doors_of(told.city, shown.columns),
                "cost_minor_per_year": shown.cost_minor_per_year,
                "parcels_per_day": shown.parcels_per_day,
                "turned_away_per_day": shown.turned_away_per_day,
                "fullness": shown.fullness,
            }
            if shown
            else {}
        ),
    }
    return point((one.site.latitude, one.site.longitude), properties, name=one.site.id)


def _unmet(told: Sited) -> Properties:
    if not isinstance(told.found, Unmet):
        return {}
    refusal = told.found.refusal
    return {
        "unmet": {
            "code": refusal.code,
            "field": refusal.field,
            "detail": refusal.detail,
            "asked": told.found.asked,
            "possible": told.found.possible,
        }
    }


def _about(plan: Proposal | None) -> Properties:
    if plan is None:
        return {}
    return {
        "model": plan.model,
        "objective": plan.objective,
        "value": plan.value,
        "bound": plan.bound,
        "bound_of": plan.bound_of,
        "gap": plan.gap,
        "seed": plan.seed,
        "parcels_per_day": plan.parcels_per_day,
        "served_per_day": plan.served_per_day,
        "walked_km_per_day": plan.walked_km_per_day,
        "unreached_per_day": plan.unreached_per_day,
        "cost_minor_per_year": plan.cost_minor_per_year,
        "cost_boundary": GROUND,
        "currency": plan.currency,
        "assumptions": plan.assumptions,
    }
