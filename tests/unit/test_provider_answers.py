"""What every documented answer of every provider means: `data/providers/*.toml`."""

import asyncio
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from tempmail import errors
from tempmail.clock import FakeClock
from tempmail.domain.outbound import SendResult
from tests.providers import ACCOUNTS, MESSAGE, RECIPIENT

FOLDER = Path(__file__).parent / "data" / "providers"
CASES = [
    pytest.param(path.stem, case, id=f"{path.stem}:{case['id']}")
    for path in sorted(FOLDER.glob("*.toml"))
    for case in tomllib.loads(path.read_text("utf-8"))["answer"]
]
MAYBE_SENT = {"OutcomeUnknown"}


def send(provider: str, case: dict[str, Any]) -> SendResult:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/account/stats"):
            return httpx.Response(200, text=case["stats"])
        return httpx.Response(case["status"], headers=case.get("headers"), content=case["body"].encode())

    async def main() -> SendResult:
        account = ACCOUNTS[provider].over(handler, FakeClock())
        try:
            [call] = account.prepare(MESSAGE, [RECIPIENT])
            return await account.send(call, idempotency_key="k")
        finally:
            await account.close()

    return asyncio.run(main())


@pytest.mark.parametrize(("provider", "case"), CASES)
def test_the_answer_means_what_is_documented(provider: str, case: dict[str, Any]) -> None:
    if not case["error"]:
        result = send(provider, case)
        assert result.message_id == case.get("message_id")
        assert result.raw == case["body"]
        return
    with pytest.raises(errors.ProviderError) as caught:
        send(provider, case)
    error = caught.value
    assert type(error).__name__ == case["error"]
    assert error.maybe_sent is (case["error"] in MAYBE_SENT)
    assert str(error)
    if "text" in case:
        assert str(error) == case["text"]
    for field in ("tries", "repeatable"):
        if field in case:
            assert getattr(error, field) == case[field]
    if "after_s" in case:
        waits = [getattr(error, name, None) for name in ("retry_after_s", "resets_after_s", "repeat_after_s")]
        assert [wait for wait in waits if wait is not None] == [case["after_s"]]


def test_each_provider_has_its_answers() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(ACCOUNTS)


@pytest.mark.parametrize("provider", ACCOUNTS)
@pytest.mark.parametrize("status", [200, 202, 204, 299])
@pytest.mark.parametrize(
    "body",
    [b"", b"ok", b"null", b"[]", b"1", b"{}", b"\xff\xfe", b"[" * 60_000, b"9" * 5000],
    ids=lambda body: repr(body[:6]),
)
def test_a_success_that_cannot_be_read_is_an_unknown_outcome(provider: str, status: int, body: bytes) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=body)

    async def main() -> None:
        account = ACCOUNTS[provider].over(handler, FakeClock())
        [call] = account.prepare(MESSAGE, [RECIPIENT])
        with pytest.raises(errors.OutcomeUnknown):
            await account.send(call, idempotency_key="k")
        await account.close()

    asyncio.run(main())
