"""The last run of `make test`: one test a lane, read from its report.

Its closing line says how many lanes passed and failed. Ordinary test runs
do not collect this file.
"""

import json
import os
from pathlib import Path

import pytest

REPORT = os.environ.get("BERTBOOK_LANES")
ROWS = json.loads(Path(REPORT).read_text("utf-8")) if REPORT else []


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_lane(row):
    if row["status"] == "skipped":
        pytest.skip(row["note"])
    if row["status"] != "passed":
        pytest.fail(
            f"{row['note'] or 'its output stands above'}",
            pytrace=False,
        )
