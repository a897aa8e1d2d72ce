"""The account of a list: how many rows came to what, by which rules, with a few examples of each."""

from collections import Counter
from typing import Any, Final

from restante.carriers.lists.points import Judged
from restante.carriers.lists.rules import RULES, Finding

MOST_EXAMPLES: Final = 3


class Account:
    """Counts rows as they are judged; holds a few examples of each rule, however long the list."""

    def __init__(self) -> None:
        self.rows = 0
        self.rejected = 0
        self.warned = 0
        self.by_rule: Counter[str] = Counter()
        self.examples: dict[str, list[tuple[int, Finding]]] = {}
        self.outcomes: Counter[str] = Counter()

    def add(self, judged: Judged) -> None:
        """Count a row. One that breaks several rules counts under each of them."""
        self.rows += 1
        self.rejected += judged.is_rejected
        self.warned += bool(judged.findings) and not judged.is_rejected
        for rule in dict.fromkeys(one.rule for one in judged.findings):
            self.by_rule[rule] += 1
        for one in judged.findings:
            held = self.examples.setdefault(one.rule, [])
            if len(held) < MOST_EXAMPLES:
                held.append((judged.number, one))

    @property
    def accepted(self) -> int:
        """Rows that no rule keeps out."""
        return self.rows - self.rejected

    def rules(self, *, rejects: bool) -> list[tuple[str, int]]:
        """The rules that were broken, those broken most first."""
        return [(rule, count) for rule, count in self.by_rule.most_common() if RULES[rule].rejects is rejects]

    def plain(self) -> dict[str, Any]:
        """The account for a program to read."""
        return {
            "rows": self.rows,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "warned": self.warned,
            "rules": {
                rule: {
                    "rejects": RULES[rule].rejects,
                    "rows": count,
                    "said": RULES[rule].said,
                    "examples": [
                        {"row": row, "field": one.field, "value": one.value} for row, one in self.examples[rule]
                    ],
                }
                for rule, count in self.by_rule.most_common()
            },
            "outcomes": dict(self.outcomes),
        }
