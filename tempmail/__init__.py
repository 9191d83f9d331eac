"""A self-hosted temp-mail server. `extract(raw)` gives the verification code and link of a mail."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tempmail.domain.extraction import Extraction

__version__ = "0.1.0"


def extract(raw: bytes) -> "Extraction":
    """The code and the link of a raw mail, with all candidates and their reasons; the same rules that ingest uses."""
    from tempmail.domain.extraction import extract as extract_mail

    return extract_mail(raw)
