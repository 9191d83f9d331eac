"""What the endpoints of mail to the future share."""

from typing import Annotated

from msgspec import Meta, Struct

from tempmail.web.endpoint import Refusal

TAG = "Mail to the future"

MailId = Annotated[str, Meta(description="Names the mail", examples=["mail_5f0c7d625a6f4a3b9b1e0e5d8c1a2b3c"])]


class MailPath(Struct, rename="camel"):
    mail_id: MailId = ""


def rule(name: str, text: str) -> Refusal:
    """A rule of the business that says no; `name`: the `error` that programs know it by."""
    return Refusal(422, text, such_as={"error": name})


MALFORMED = Refusal(400, "Bad Request")
NO_MAIL = Refusal(404, "no such mail")
FOREIGN = Refusal(403, "Forbidden")
