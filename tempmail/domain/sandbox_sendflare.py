"""A mail as SendFlare takes it. Source: provider facts 1.2 and 4.2."""

from tempmail.domain.outbound_fields import mailbox_of
from tempmail.domain.sandbox_fields import (
    Declined,
    Fields,
    Order,
    addresses_of,
    clean,
    is_address,
    is_html,
    is_mailbox,
    json_fields,
    text_of,
)


def read_order(raw: bytes) -> Order:
    """The mail of `POST /v1/send`. `html` may stand in the place of `body`; `cc`, `bcc` and `replyTo`, which its
    documentation does not know, are an address or a list of them. Raises `Declined` with HTTP's status."""
    fields = json_fields(raw)
    if fields is None:
        raise _declined("the request body is not a JSON object")
    content = _content(fields)
    for name, value in (*((name, text_of(fields.get(name))) for name in ("from", "to", "subject")), ("body", content)):
        if not value.strip():
            raise _declined(f"{name} is required")
    sender, to = text_of(fields["from"]), text_of(fields["to"])
    if not is_mailbox(sender):
        raise _declined("from is not a valid email address")
    if not is_address(to):
        raise _declined("to is not a valid email address")
    html = content if is_html(content) else None
    return Order(
        sender=sender,
        to=(to,),
        cc=_addresses(fields, "cc"),
        bcc=_addresses(fields, "bcc"),
        reply_to=_addresses(fields, "replyTo"),
        subject=text_of(fields["subject"]),
        html=html,
        text=None if html else content,
    )


def _content(fields: Fields) -> str:
    body = fields.get("body") or fields.get("html")
    return clean(body) if isinstance(body, str) else ""


def _addresses(fields: Fields, name: str) -> tuple[str, ...]:
    found = addresses_of(fields.get(name))
    if found is None or not all(is_mailbox(each) for each in found):
        raise _declined(f"{name} is not a list of valid email addresses")
    return found if name == "replyTo" else tuple(mailbox_of(each).address for each in found)


def _declined(text: str) -> Declined:
    return Declined(400, text, status=400)
