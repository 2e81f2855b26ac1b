"""The rubric: which criteria are judged, what each weighs, and its limits. A file a user may edit.

What a criterion looks at is code (`eval.criteria`); the file decides which are judged, with what
weight and from which limit on. A criterion that is left out is not judged.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from eval.records import CHECKS, Check
from rag.errors import UsageError

#: Check → its criteria; criterion → what may be set beside description and weight.
KNOWN: dict[str, dict[str, tuple[str, ...]]] = {
    "factual_accuracy": {
        "no_claim_flagged": (),
        "claims_accepted": ("at_least", "verdicts"),
        "agrees_with_answer": (),
    },
    "task_completion": {
        "answers_or_refuses_rightly": (),
        "answers_in_full": (),
        "evidence_found": (),
        "evidence_cited": (),
    },
    "formatting": {
        "citations_resolve": (),
        "claims_cited": (),
        "quotes_exist": (),
        "refusal_phrase_exact": (),
    },
    "speed": {"answered_in_time": ("seconds",), "first_word_in_time": ("seconds",)},
    "consistency": {"same_outcome": (), "same_verdicts": (), "same_answer": ("at_least",)},
}
VERDICTS = ("supported", "no_mismatch", "unverified", "not_supported", "contradicted")


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that a reply does or does not do.

    ``at_least`` is a share in [0, 1], ``seconds`` a limit; None where the criterion has none or
    the file names none. ``verdicts`` are those that count as accepted.
    """

    key: str
    check: Check
    weight: float
    description: str
    at_least: float | None = None
    seconds: float | None = None
    verdicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rubric:
    """The criteria that are judged, in the order of the file."""

    name: str
    criteria: tuple[Criterion, ...]

    @property
    def digest(self) -> str:
        """Names what is judged and how; descriptions do not count."""
        rows = [{**asdict(c), "description": ""} for c in self.criteria]
        return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:16]

    def of(self, check: Check) -> tuple[Criterion, ...]:
        return tuple(c for c in self.criteria if c.check == check)


def load_rubric(path: str | Path | None = None) -> Rubric:
    """The rubric that ships, or a user's own file.

    Raises UsageError naming the file, the line and the key for anything that is not known or not
    of the right kind.
    """
    if path is None:
        text, name = shipped(), "rubric.toml"
    else:
        text, name = _read(Path(path)), str(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"rubric {name} is not TOML: {error}", "mend that line") from error
    source = _Source(name, text)
    criteria = tuple(_criteria(table, source))
    if not criteria:
        raise UsageError(f"rubric {name} names no criterion", "copy one: rag eval init --rubric")
    return Rubric(name, criteria)


def shipped() -> str:
    """The text of the rubric that ships, to be copied and edited."""
    return files(__package__).joinpath("rubric.toml").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    text: str

    def wrong(self, where: str, problem: str, remedy: str) -> UsageError:
        """An error at the line where the table or key ``where`` («check.criterion.key») begins."""
        return UsageError(f"rubric {self.name}, {self._line(where)}: {problem}", remedy)

    def _line(self, where: str) -> str:
        """«line 12, [speed.answered_in_time] seconds»; tomllib keeps no lines of its own."""
        table, key = ".".join(where.split(".")[:2]), ".".join(where.split(".")[2:])
        within = not key
        number = 0
        for at, line in enumerate(self.text.splitlines(), 1):
            if re.match(rf"\s*\[\s*{re.escape(table)}\b", line):
                number, within = at, True
                if not key:
                    break
            elif within and key and number and re.match(rf"\s*{re.escape(key)}\s*=", line):
                number = at
                break
        shown = f"[{table}] {key}".strip()
        return f"line {number}, {shown}" if number else shown


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(
            f"rubric {path} cannot be read: {reason}", "name a TOML file, or leave --rubric out"
        ) from error


def _criteria(table: Mapping[str, Any], source: _Source) -> Iterator[Criterion]:
    for check, criteria in table.items():
        if check not in CHECKS:
            raise source.wrong(check, f"unknown check «{check}»", _known(check, CHECKS))
        if not isinstance(criteria, dict):
            raise source.wrong(check, f"«{check}» is no table", f"write [{check}.CRITERION]")
        for key, values in criteria.items():
            where = f"{check}.{key}"
            if key not in KNOWN[check]:
                raise source.wrong(where, f"unknown criterion «{key}»", _known(key, KNOWN[check]))
            if not isinstance(values, dict):
                raise source.wrong(where, f"«{key}» is no table", f"write [{where}]")
            yield _criterion(check, key, values, source)


def _criterion(check: Check, key: str, values: Mapping[str, Any], source: _Source) -> Criterion:
    allowed = ("description", "weight", *KNOWN[check][key])
    for name, value in values.items():
        where = f"{check}.{key}.{name}"
        if name not in allowed:
            raise source.wrong(where, f"unknown key «{name}»", _known(name, allowed))
        if not _VALID[name](value):
            raise source.wrong(where, f"«{name}» is {value!r}", f"give {_WANTED[name]}")
    needed = [n for n in KNOWN[check][key] if n != "seconds" and n not in values]
    if needed:
        raise source.wrong(f"{check}.{key}", f"«{needed[0]}» is missing", f"add {needed[0]} = …")
    return Criterion(
        key=key,
        check=check,
        weight=float(values.get("weight", 1.0)),
        description=values.get("description", ""),
        at_least=values.get("at_least"),
        seconds=values.get("seconds"),
        verdicts=tuple(values.get("verdicts", ())),
    )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_VALID: dict[str, Any] = {
    "description": lambda v: isinstance(v, str),
    "weight": lambda v: _number(v) and 0 < v <= 1000,
    "at_least": lambda v: _number(v) and 0 <= v <= 1,
    "seconds": lambda v: _number(v) and 0 < v < 1e6,
    "verdicts": lambda v: isinstance(v, list) and bool(v) and all(x in VERDICTS for x in v),
}
_WANTED = {
    "description": "a text",
    "weight": "a number above 0, or take the criterion out",
    "at_least": "a share from 0 to 1",
    "seconds": "a number of seconds above 0",
    "verdicts": f"a list of {', '.join(VERDICTS)}",
}


def _known(name: str, names: Any) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean «{near[0]}»?" if near else f"known are {', '.join(names)}"
