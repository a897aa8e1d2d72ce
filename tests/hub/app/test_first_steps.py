"""A parcel through the API, from provisioning to the feed."""

from tests.hub.api import DIMENSIONS, Api


async def test_a_parcel_is_announced_promised_seen_and_told_of(api: Api) -> None:
    """Given a bank, when a carrier announces a parcel for it, then it is promised there and the feed tells of it."""
    point = await api.point()
    announced = await api.post(
        "/parcels",
        {
            "reference": "A-1",
            "dimensions": DIMENSIONS,
            "weight_grams": 900,
            "recipient": {"name": "Aino", "emails": ["aino@example.org"]},
            "point": point,
        },
        by="swift",
    )
    assert announced["promise"]["point"] == point
    assert announced["warnings"] == []
    parcel = await api.get(f"/parcels/{announced['parcel']}", by="swift")
    assert (parcel["stage"], parcel["phase"], parcel["reference"]) == ("promised", "promised", "A-1")
    page = await api.get("/feed", by="swift")
    assert [item["event"]["kind"] for item in page["items"]] == ["parcel-announced", "room-reserved"]
    everything = await api.get("/feed")
    assert [item["event"]["kind"] for item in everything["items"]] == [
        "point-provisioned", "source-installed", "module-added", "parcel-announced", "room-reserved",
    ]  # fmt: skip
