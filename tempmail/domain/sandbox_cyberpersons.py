"""A mail as Cyberpersons takes it. Source: provider facts 1.3 and 4.3."""

from collections.abc import Mapping
from dataclasses import replace

from tempmail.domain.outbound_fields import Mailbox
from tempmail.domain.sandbox_fields import Declined, Fields, Order, clean, is_address, json_fields, line_of, text_of

MAX_HEADERS = 50

VALIDATION = "validation_error"
SEND_FAILED = "send_failed"


def read_fields(raw: bytes) -> Fields:
    """Raises `Declined`, as all here, with HTTP's status and the provider's type."""
    fields = json_fields(raw)
    if fields is None:
        raise Declined(VALIDATION, "Invalid JSON body", status=400)
    return fields


def read_order(fields: Fields) -> Order:
    """The mail of `POST /email/v1/send`. A list in `to`, `cc` or `bcc` is an error of the server's, as it is there."""
    for name in ("from", "to", "subject"):
        if not (isinstance(fields.get(name), list) or text_of(fields.get(name))):
            raise _invalid(f"Missing required field: {name}")
    html, text = _body(fields, "html"), _body(fields, "text")
    if html is None and text is None:
        raise _invalid("Either html or text is required")
    for name in ("to", "cc", "bcc"):
        if isinstance(fields.get(name), list):
            raise Declined(SEND_FAILED, "Failed to send email", status=500)
    for name in ("from", "to", "cc", "bcc", "reply_to"):
        if (address := text_of(fields.get(name))) and not is_address(address):
            raise _invalid(f"Invalid email address: {name}")
    order = Order(
        sender=text_of(fields["from"]),
        to=(text_of(fields["to"]),),
        cc=_optional(fields, "cc"),
        bcc=_optional(fields, "bcc"),
        reply_to=_optional(fields, "reply_to"),
        subject=text_of(fields["subject"]),
        html=html,
        text=text,
        headers=_headers(fields.get("headers")),
    )
    name = line_of(fields.get("from_name"))
    return replace(order, sender=str(Mailbox(name, order.sender))) if name else order


def _body(fields: Fields, name: str) -> str | None:
    value = fields.get(name)
    return clean(value) if isinstance(value, str) and value else None


def _optional(fields: Fields, name: str) -> tuple[str, ...]:
    address = text_of(fields.get(name))
    return (address,) if address else ()


def _headers(value: object) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping) or len(value) > MAX_HEADERS:
        raise _invalid(f"headers must be an object of at most {MAX_HEADERS}")
    return tuple((clean(name), text_of(each)) for name, each in value.items())


def _invalid(text: str) -> Declined:
    return Declined(VALIDATION, text, status=400)
