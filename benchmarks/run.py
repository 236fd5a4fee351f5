"""Measures the figures of `docs/explanation/performance.md`, prints them with verdicts, and fails if a bar is missed.

``python benchmarks/run.py`` needs the package and the dependency group ``bench``; ``--quick`` takes seconds.
"""

import argparse
import json
import sys
from dataclasses import asdict

import cycle
import django_peer
import django_store
import imports
import limiter
import memory
import postgres_store
import redis_store
import sqlalchemy_store
import sqlite_store
from harness import FULL, QUICK, heading, markdown, pin, table

#: Memory comes last, because it leaves the process large.
PARTS = {
    "cycle": cycle,
    "limiter": limiter,
    "imports": imports,
    "postgres": postgres_store,
    "redis": redis_store,
    "sqlalchemy": sqlalchemy_store,
    "sqlite": sqlite_store,
    "django": django_store,
    "django-peer": django_peer,
    "memory": memory,
}


def main() -> int:
    """Measure and print, and return 1 if a bar was missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", choices=PARTS, help="measure only this part; can be repeated")
    parser.add_argument("--quick", action="store_true", help="use fewer users and rounds, for rough figures")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/explanation/performance.md")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    title = heading(size, pin())
    rows = [row for part in options.only or PARTS for row in PARTS[part].measure(size)]
    if options.json:
        print(
            json.dumps(
                {"conditions": title, "rows": [asdict(row) | {"verdict": row.verdict} for row in rows]}, indent=2
            )
        )
    else:
        print(f"{title}\n\n{markdown(rows) if options.markdown else table(rows)}")
    return int(any(row.missed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
