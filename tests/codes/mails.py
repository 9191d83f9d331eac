"""Raw mails for the tests of the extraction."""

from email.message import EmailMessage
from email.policy import SMTP


def mail(text: str | None = None, html: str | None = None, *, subject: str = "Hello") -> bytes:
    """A raw mail from Acorn to a box, with a text part, an HTML part, or both."""
    message = EmailMessage(policy=SMTP)
    message["From"] = "Acorn <no-reply@acorn.example>"
    message["To"] = "box.91744@inbox.example"
    message["Subject"] = subject
    if text is not None:
        message.set_content(text)
        if html is not None:
            message.add_alternative(html, subtype="html")
    else:
        message.set_content(html or "", subtype="html")
    return message.as_bytes()
