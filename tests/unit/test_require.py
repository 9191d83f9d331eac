"""What a missing outside tool does to a test."""

import pytest

from tests.require import require


def test_what_is_there_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUIRE", "s3")
    require("s3", available=True, why="never said")


@pytest.mark.parametrize("required", ["", "postgres", "s3x, postgres"])
def test_what_is_missing_is_skipped_by_name(monkeypatch: pytest.MonkeyPatch, required: str) -> None:
    monkeypatch.setenv("REQUIRE", required)
    with pytest.raises(pytest.skip.Exception, match="s3: no server"):
        require("s3", available=False, why="no server")


@pytest.mark.parametrize("required", ["s3", "postgres, s3"])
def test_what_is_missing_and_required_fails(monkeypatch: pytest.MonkeyPatch, required: str) -> None:
    monkeypatch.setenv("REQUIRE", required)
    with pytest.raises(pytest.fail.Exception, match="REQUIRE names s3, but no server"):
        require("s3", available=False, why="no server")
