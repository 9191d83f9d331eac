"""Mails to be sent as they are stored: all of a mail comes back, from older versions too."""

import pytest

from tempmail.domain.outbound import Attachment, OutboundMessage
from tempmail.services.outbound_payload import decode, encode

FULL = OutboundMessage(
    from_addr="me@shop.example",
    to=("A <a@else.example>", "b@else.example"),
    subject="主题 \U0001f600",
    from_name="店铺",
    cc=("c@else.example",),
    bcc=("d@else.example",),
    reply_to=("e@else.example",),
    html="<p>\u2028</p>",
    text="text",
    headers=(("X-A", "1"), ("X-A", "2")),
    tags=(("k", "v"),),
    attachments=(Attachment("文件.bin", bytes(range(256)), "image/png", "cid1"), Attachment("empty", b"")),
    message_id="<1@shop.example>",
    raw=b"\x00\xff",
)


@pytest.mark.parametrize(
    "message",
    [FULL, OutboundMessage("a@b.example", ("c@d.example",)), OutboundMessage("a@b.example", ("c@d.example",), html="")],
    ids=["all", "least", "empty text"],
)
def test_a_mail_comes_back_as_it_was(message: OutboundMessage) -> None:
    assert decode(encode(message)) == message


def test_the_same_mail_has_the_same_bytes() -> None:
    assert encode(FULL) == encode(decode(encode(FULL)))


def test_fields_that_a_version_lacks_or_does_not_know_do_no_harm() -> None:
    stored = b'{"from_addr": "a@b.example", "to": ["c@d.example"], "of_later": {"x": [1]}}'
    assert decode(stored) == OutboundMessage("a@b.example", ("c@d.example",))


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"{}", b'{"from_addr": 1, "to": []}', b"\xff"])
def test_what_is_no_mail_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec's own word for it is no concern of callers
        decode(payload)
