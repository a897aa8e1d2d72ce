"""The alert rules of the how-to ask for metrics and labels that exist, and each is explained."""

import re
from typing import Any, Final

import yaml

from restante.core.events import CaseKind
from restante.core.refusals import CODES
from restante.hub.metrics.catalogue import METRICS, Kind
from restante.hub.metrics.figures import AGES
from tests.house.tidy import ROOT

PAGE: Final = (ROOT / "docs" / "how-to" / "watch-a-hub.md").read_text(encoding="utf-8")
OURS: Final = {one.name: one for one in METRICS}
SUFFIXES: Final = ("_bucket", "_sum", "_count")
VALUES: Final = {"kind": {one.value for one in CaseKind}, "age": set(AGES), "silence": set(AGES), "code": set(CODES)}
TASKS: Final = {"send-notice", "reserve-onward"}
MATCHER: Final = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')


def rules() -> list[dict[str, Any]]:
    """The rules of the page."""
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)]
    [groups] = [block["groups"] for block in blocks if "groups" in block]
    return [rule for group in groups for rule in group["rules"]]


def test_each_rule_asks_for_metrics_that_exist() -> None:
    """Given the rules, then every metric is in the catalogue, and is asked for in the form that it has."""
    for rule in rules():
        for name in re.findall(r"\brestante_[a-z_]+", rule["expr"]):
            base = next((name.removesuffix(end) for end in SUFFIXES if name.removesuffix(end) in OURS), name)
            assert base in OURS, (rule["alert"], name)
            assert (base != name) == (OURS[base].kind is Kind.HISTOGRAM), (rule["alert"], name)


def test_each_rule_asks_for_labels_and_values_that_exist() -> None:
    """Given the matchers of the rules, then the metric has the label, and the value is one that it may have."""
    for rule in rules():
        for name, inside in re.findall(r"\b(restante_[a-z_]+)\{([^}]*)\}", rule["expr"]):
            for label, _, values in MATCHER.findall(inside):
                assert label in OURS[name].labels, (rule["alert"], label)
                known = VALUES.get(label, set()) | (TASKS if name.startswith("restante_outbox") else set())
                assert not known or set(values.split("|")) <= known, (rule["alert"], values)


def test_each_rule_is_explained() -> None:
    """Given the rules, then the table below says of each what it means and what to do, in their order."""
    explained = re.findall(r"^\| ([A-Z][A-Za-z]+) \| [^|]{20,} \| [^|]{10,} \|$", PAGE, flags=re.MULTILINE)
    assert explained == [rule["alert"] for rule in rules()]
    assert all(rule["expr"].count("(") == rule["expr"].count(")") for rule in rules())
