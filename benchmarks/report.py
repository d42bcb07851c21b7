"""The last line of a benchmark: one JSON object that says what was measured, on what, and when."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from pipeline.runs.versions import hardware, versions


def print_result(name: str, values: Mapping[str, object]) -> None:
    """Print the benchmark's name and values with hardware, versions and date (UTC) as one line."""
    print(
        json.dumps(
            {
                "benchmark": name,
                **values,
                "hardware": hardware(),
                "versions": versions(),
                "date": datetime.now(UTC).date().isoformat(),
            }
        )
    )
