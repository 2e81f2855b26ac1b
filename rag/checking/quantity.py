"""A quantity: a number, amount, date or quarter as a comparable value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "number", "percent", "money", "date", "quarter", "decade", "ordinal", "time", "weekday",
    "factor", "period", "version",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity of a text.

    ``values`` are its possible readings, more than one where the writing is ambiguous; of a range,
    both ends are quantities of their own. ``step`` is the size of the last digit written. Dates
    have ``parts`` (year, month, day), quarters (year, quarter), each None where it is not said.
    """

    kind: Kind
    start: int
    end: int
    values: tuple[float, ...] = ()
    step: float = 0.0
    unit: str = ""  # «dimension:size of the unit in the dimension's base», a currency, «%»
    parts: tuple[int | None, ...] = ()
    loose: bool = False  # «about», «more than», «up to»: another figure may be meant
    scaled: bool = False  # «million» stands beside it
    bound: str = ""  # about, more, least, less, most; before or after a time
    minus: bool = False  # a minus or accounting brackets; ``values`` are without the sign
    unsigned: bool = False  # the sign may be said in words («a loss of»), or be no sign
    of: str = ""  # «per person», «business» days, the zone of a time
    every: str = ""  # the period of a rate: «day», «year»
    counted: bool = False  # a plural follows: «50 million users»

    @property
    def ambiguous(self) -> bool:
        return len(self.values) > 1

    @property
    def dimension(self) -> str:
        """«length», «time», …; empty without a unit of measure."""
        return self.unit.partition(":")[0] if ":" in self.unit else ""

    @property
    def size(self) -> float:
        """Of its unit, in the dimension's base."""
        return float(self.unit.partition(":")[2]) if ":" in self.unit else 1.0

    @property
    def year(self) -> int | None:
        """The year it names, also as a bare «2018»."""
        if self.kind in ("date", "quarter"):
            return self.parts[0]
        return None
