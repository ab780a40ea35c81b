"""The results of runs on faults so far, by test: a run that was done in parts is one run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.scenarios.faults.parsed_report import ParsedReport
from tests.scenarios.faults.table import Machine, Row, page, walk_section


@dataclass
class Results:
    """`file` holds the rows of all parts so far; `page_file` is written with them; None: there is none."""

    file: Path | None
    page_file: Path | None
    rows: dict[str, Sequence[Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.file and self.file.exists():
            for test, rows in json.loads(self.file.read_text()).items():
                self.rows[test] = [Row(**{**row, "report": ParsedReport(**row["report"])}) for row in rows]

    def add(self, test: str, rows: Sequence[Row]) -> None:
        """Writes at once, so that an interrupted run keeps its results."""
        self.rows[test] = rows
        if self.file:
            by_test = {test: [asdict(row) for row in rows] for test, rows in self.rows.items()}
            self.file.write_text(json.dumps(by_test, indent=1))
        if self.page_file:
            # In the order of the tests' names, so that a part that was run again stays where it was.
            ordered = [row for _, rows in sorted(self.rows.items()) for row in rows]
            self.page_file.write_text(page(ordered, Machine.here(), walk_section(self.page_file)))
