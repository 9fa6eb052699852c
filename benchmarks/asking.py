"""The exchanges of a stored run, asked again by urllib3 and nothing else: what a run cannot go below.

`python -m benchmarks.asking report.json` starts the embedded mock as `conformance run` does, asks, and stops it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import urllib3

from conformance.runs.store import from_text_or_base64
from mockserver.embedded import start


def main(report: str) -> None:
    """Asks every exchange of the report once, in their order, over kept connections."""
    document = json.loads(Path(report).read_text(encoding="utf-8"))
    prefixes = {each["name"]: each["endpoint"].rpartition("/")[2] for each in document["targets"]}
    target_of = {
        evidence.rpartition("#")[0]: finding["target"]
        for finding in document["findings"]
        for evidence in finding["evidence"]
    }
    # The keys stand in a report by name only, so nobody checks them here.
    mock = start(auth="off")
    pool = urllib3.PoolManager(retries=False)
    seen = set()
    for address, steps in document["exchanges"].items():
        base = f"{mock.http}/{prefixes[target_of[address]]}"
        for step in steps:
            request = step["request"]
            body = from_text_or_base64(request["body"])
            key = (base, request["method"], request["target"], body)
            # A run asks the same once too.
            if key not in seen:
                seen.add(key)
                headers = dict(request["headers"])
                pool.request(request["method"], base + request["target"], body=body or None, headers=headers)
    mock.stop()


if __name__ == "__main__":
    main(sys.argv[1])
