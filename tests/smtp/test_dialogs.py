"""Dialogues as data: each file in `dialogs/` is one conversation, and a new case needs no code.

# comment
with: max_recipients=2 tls     options of the server; must come first
c: EHLO client.example         the client sends this line and CRLF
c> NOOP\\n                      the client sends exactly this (escapes as in Python)
s: 250 2.0.0 Ok*               one line from the server; * stands for anything
s: 250-*                       … repeated lines of one reply each have their own line
s! closed                      the server closed the connection
c! tls                         the client shakes hands
c! half-close                  the client says that it will send no more
m: 1                           so many mails were kept so far
m> Hello\\r\\n                   exactly this is the last mail kept
"""

import asyncio
import re
from pathlib import Path

import pytest

from tempmail.smtp.options import SmtpOptions
from tests.smtp.serving import PATIENCE_S, Certificates, Client, LoopFactory, Serving, run, serving

DIALOGS = sorted((Path(__file__).parent / "dialogs").glob("*.cmy"))


def _unescape(text: str) -> bytes:
    return text.encode("utf-8").decode("unicode_escape").encode("latin-1")


def _matches(pattern: str, line: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), line) is not None


async def _step(kind: str, text: str, client: Client, host: Serving, certificates: Certificates) -> None:
    mails = host.receiver.mails
    if kind == "c:":
        await client.send(text.encode() + b"\r\n")
    elif kind == "c>":
        await client.send(_unescape(text))
    elif (kind, text) == ("c!", "tls"):
        await client.start_tls(certificates.client)
    elif (kind, text) == ("c!", "half-close"):
        client.writer.write_eof()
    elif kind == "s:":
        async with asyncio.timeout(PATIENCE_S):
            line = await client.reader.readline()
        assert line.endswith(b"\r\n"), line
        assert _matches(text, line[:-2].decode("ascii")), line
    elif (kind, text) == ("s!", "closed"):
        async with asyncio.timeout(PATIENCE_S):
            assert await client.reader.read() == b""
    elif kind == "m:":
        assert len(mails) == int(text)
    elif kind == "m>":
        assert mails[-1].raw == _unescape(text)
    else:
        raise AssertionError(f"unknown step {kind} {text}")


def _options(words: list[str]) -> SmtpOptions:
    given = {name: int(value) for name, _, value in (word.partition("=") for word in words)}
    return SmtpOptions(hostname="mx.temp.example.com", **given)  # type: ignore[arg-type]  # names come from the file


@pytest.mark.parametrize("path", DIALOGS, ids=lambda path: path.stem)
def test_dialog(
    path: Path, loop_factory: LoopFactory, certificates: Certificates, expected_errors: pytest.LogCaptureFixture
) -> None:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    words = lines.pop(0)[5:].split() if lines[0].startswith("with:") else []
    tls = certificates.server if "tls" in words else None
    options = _options([word for word in words if word != "tls"])

    async def main() -> None:
        async with serving(options, tls=tls) as host, host.client() as client:
            for number, line in enumerate(lines, 1):
                try:
                    await _step(line[:2], line[3:], client, host, certificates)
                except (AssertionError, TimeoutError) as exc:
                    raise AssertionError(f"{path.name}, step {number}: {line}\n{exc!r}") from exc

    run(main(), loop_factory)


def test_there_are_dialogs() -> None:
    assert len(DIALOGS) >= 20
