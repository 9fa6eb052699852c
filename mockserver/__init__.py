"""An offline provider that keeps the contracts of `conformance`: a server, in-process doors, fixtures.

Nothing heavy is imported here, so that an idle pytest plugin costs nothing: import the module you need.
"""

from __future__ import annotations

from conformance import __version__

__all__ = ["__version__"]
