"""`python -m tests.prose [--count] [PATH ...]`: lists what breaks a rule, by file and line."""

from __future__ import annotations

import sys
from collections import Counter

from tests.prose.areas import AREAS, area_findings

if __name__ == "__main__":
    count = "--count" in sys.argv
    wanted = [word.strip("/") for word in sys.argv[1:] if word != "--count"]
    totals: Counter[str] = Counter()
    for area in AREAS:
        for finding in area_findings(area):
            place = str(finding).partition(":")[0]
            if not wanted or any(place == one or place.startswith(f"{one}/") for one in wanted):
                totals[f"{area} {finding.rule}"] += 1
                if not count:
                    print(finding)
    for name, number in totals.items():
        print(f"{number:5} {name}", file=sys.stdout if count else sys.stderr)
    sys.exit(bool(totals))
