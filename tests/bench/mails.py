"""The mails that are sent."""

import base64
import random
from pathlib import Path

SMALL_FILE = Path(__file__).with_name("mail_5k.eml")
"""A sign-up mail as services send it: text and HTML, 15 headers, a code; LF lines, for smtp-source."""

SMALL_CODE = "482913"

_HEAD = """\
Return-Path: <reports@sender.example>
Received: from relay.sender.example (relay.sender.example [192.0.2.25]) by mx.bench.example; \
Tue, 4 Mar 2025 10:15:31 +0000
From: Reports <reports@sender.example>
To: inbox@bench.example
Subject: Your report is ready
Date: Tue, 4 Mar 2025 10:15:30 +0000
Message-ID: <20250304101530.5f2c@sender.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_part"

--=_part
Content-Type: text/plain; charset=utf-8

The report is attached. Confirmation code: 730164

--=_part
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="report.bin"

"""
_NEWSLETTER_HEAD = """\
From: News <news@sender.example>
To: inbox@bench.example
Subject: The week in the garden
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8

<!DOCTYPE html><html><head><style>
"""
_NEWSLETTER_WORDS = (
    "your", "weekly", "guide", "offers", "new", "prices", "shop", "the", "sale", "now", "read", "more", "about",
    "garden", "kitchen", "travel", "books", "music", "and", "we", "ship", "to", "you", "free", "today", "only",
)  # fmt: skip
_NEWSLETTER_ROW = """\
<tr><td class="c{style}" style="padding:12px;font-family:Arial,Helvetica,sans-serif;font-size:14px;color:#333">
<table role="presentation" width="100%"><tr><td><a href="https://click.sender.example/ls?upn={token}&amp;i={number}"
 style="color:#06c"><img src="https://img.sender.example/{number}.jpg" alt="Item {number}" width="280"></a></td>
<td><h2 style="font-size:18px">Item {number}</h2><p style="margin:0 0 8px">{words}.</p>
<a class="button" href="https://www.sender.example/item/{number}?utm=a"
 style="display:inline-block;background:#06c;padding:8px">Shop now</a></td></tr></table></td></tr>
"""
_TAIL = "\n--=_part--\n"


def small(code: str = SMALL_CODE) -> bytes:
    """The mail of `SMALL_FILE`, with CRLF lines and `code` (six digits) in place of its own."""
    return _wire(SMALL_FILE.read_text("utf-8").replace(SMALL_CODE, code))


def newsletter(size_bytes: int = 1_000_000) -> bytes:
    """A mail of HTML alone, of `size_bytes` and less than a kilobyte more: a long style sheet, then rows of a picture,
    words and two links to follow."""
    draw = random.Random(911)
    rules = "".join(
        f".c{n} {{ color: #{n:06x}; padding: {n % 30}px; font-size: {10 + n % 9}px }}\n" for n in range(600)
    )
    pieces = [_NEWSLETTER_HEAD, rules, "</style></head><body><table>\n"]
    room = size_bytes - sum(map(len, pieces))
    while room > 0:
        number = len(pieces)
        words = " ".join(draw.choices(_NEWSLETTER_WORDS, k=30))
        row = _NEWSLETTER_ROW.format(
            number=number, style=number % 600, token=f"{draw.getrandbits(160):040x}", words=words
        )
        pieces.append(row)
        room -= len(row) + row.count("\n")
    return _wire("".join(pieces) + "</table></body></html>\n")


def large(size_bytes: int) -> bytes:
    """A mail of at most `size_bytes`, less by under 80, nearly all of it one base64 attachment; CRLF lines."""
    head, tail = _wire(_HEAD), _wire(_TAIL)
    lines = (size_bytes - len(head) - len(tail)) // 78
    block = random.Random(5321).randbytes(57 * 1024)
    content = block * (lines // 1024) + block[: 57 * (lines % 1024)]
    return head + base64.encodebytes(content).replace(b"\n", b"\r\n") + tail


def stuffed(mail: bytes) -> bytes:
    """What follows 354 on the wire: dots stuffed, with the end of DATA (RFC 5321 4.5.2)."""
    body = mail.replace(b"\r\n.", b"\r\n..")
    return (b"." if body.startswith(b".") else b"") + body + b".\r\n"


def _wire(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()
