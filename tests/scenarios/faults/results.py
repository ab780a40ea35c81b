"""What runs on faults have found so far, by test: a run that was done in parts is one run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.scenarios.faults.parsed_report import Told
from tests.scenarios.faults.table import Machine, Row, page, walk_of


@dataclass
class Results:
    """`kept` is the file of earlier parts, `shown` the page; None: there is none."""

    kept: Path | None
    shown: Path | None
    found: dict[str, Sequence[Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kept and self.kept.exists():
            for test, rows in json.loads(self.kept.read_text()).items():
                self.found[test] = [Row(**{**row, "told": Told(**row["told"])}) for row in rows]

    def add(self, test: str, rows: Sequence[Row]) -> None:
        """Written at once: whoever ends the run keeps what it has found."""
        self.found[test] = rows
        if self.kept:
            found = {test: [asdict(row) for row in rows] for test, rows in self.found.items()}
            self.kept.write_text(json.dumps(found, indent=1))
        if self.shown:
            # In the order of the tests' names, so that a part that was run again stays where it was.
            ordered = [row for _, rows in sorted(self.found.items()) for row in rows]
            self.shown.write_text(page(ordered, Machine.here(), walk_of(self.shown)))
