"""What it means that a provider of LLM inference conforms: contracts, rules, the judge and the suite.

The contracts are YAML and stand in `specs/` (in the wheel: `conformance/specs`). Nothing is imported
here, so that an idle pytest plugin costs nothing: import the module you need.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
