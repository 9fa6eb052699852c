"""One function for each area, so that `-k wire` and IDEs find their way; each is one rule at one target."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.conformance


def test_wire(conformance_case: Any) -> None:
    conformance_case()


def test_stream(conformance_case: Any) -> None:
    conformance_case()


def test_errors(conformance_case: Any) -> None:
    conformance_case()


def test_auth(conformance_case: Any) -> None:
    conformance_case()


def test_limits(conformance_case: Any) -> None:
    conformance_case()


def test_quotas(conformance_case: Any) -> None:
    conformance_case()


def test_modalities(conformance_case: Any) -> None:
    conformance_case()


def test_behaviour(conformance_case: Any) -> None:
    conformance_case()
