"""Tests that need something from outside: a server, a browser, a tool."""

import os

import pytest


def require(name: str, *, available: bool, why: str) -> None:
    """Skip the test, with `name` and `why` in the report, where what it needs is not `available`. Fail it instead
    where the environment variable REQUIRE (a comma list) names it, so that a complete run cannot pass by skipping."""
    if available:
        return
    if name in {required.strip() for required in os.environ.get("REQUIRE", "").split(",")}:
        pytest.fail(f"REQUIRE names {name}, but {why}", pytrace=False)
    pytest.skip(f"{name}: {why}")
