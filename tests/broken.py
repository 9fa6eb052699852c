"""tests/broken_matrix.json: which rules fall at which broken provider, and how.

python tests/broken.py        asks the suite anew; look at the difference before you commit it
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MATRIX = Path(__file__).resolve().parent / "broken_matrix.json"


def found() -> dict[str, Any]:
    """The matrix as it is now: broken provider -> contract -> word -> rules."""
    from conformance.broken import rows, run_broken
    from conformance.loading import load

    return rows(run_broken(load()))


if __name__ == "__main__":
    MATRIX.write_text(json.dumps(found(), indent=1) + "\n")
