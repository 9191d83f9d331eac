"""What is extracted from mail, and why."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tempmail.domain.codes_weights import THRESHOLD as CODE_THRESHOLD
from tempmail.domain.extraction import VERSION, Extraction
from tempmail.domain.links import THRESHOLD as LINK_THRESHOLD
from tempmail.errors import BadRequest
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint

RAW_MAIL = "From: Shop <shop@shop.example>\r\nSubject: Your code\r\n\r\nYour verification code is 482913.\r\n"
"""A small mail, for examples."""

Score = Annotated[float, Meta(description="The sum of its reasons", examples=[9.6])]
Reasons = Annotated[
    list[str],
    Meta(
        description="Every sign with its points. A rule of the admin is named with its version",
        examples=[["one-time code before it: verification code +6.00", "six digits +1.00"]],
    ),
]


class CodeItem(Struct):
    """What may be the code."""

    value: Annotated[str, Meta(description="What a user would type", examples=["482913"])]
    kind: Annotated[
        str, Meta(description="`numeric`, `grouped`, `alphanumeric` or `passphrase`", examples=["numeric"])
    ] = ""
    source: Annotated[
        str, Meta(description="Where it stands: `subject`, `text`, `html`, `alt`, `preheader`", examples=["text"])
    ] = ""
    start: Annotated[int, Meta(description="Where it begins in the text of that source", examples=[26])] = 0
    end: Annotated[int, Meta(description="Where it ends", examples=[32])] = 0
    context: Annotated[list[str], Meta(description="The words before it", examples=[["Your", "code", "is"]])] = []
    score: Score = 0.0
    rule: Annotated[str, Meta(description="The sign that speaks most for it", examples=["six digits"])] = ""
    reasons: Reasons = []


class LinkItem(Struct):
    """A link, and what it is for."""

    url: Annotated[str, Meta(description="What a click opens", examples=["https://shop.example/verify?token=…"])]
    kind: Annotated[
        str, Meta(description="`verify`, `magic`, `reset`, `unsubscribe` or `other`", examples=["verify"])
    ] = ""
    text: Annotated[
        str, Meta(description="Its words; empty for an address in plain text", examples=["Confirm your address"])
    ] = ""
    host: Annotated[str, Meta(description="Its host", examples=["shop.example"])] = ""
    score: Score = 0.0
    reasons: Reasons = []


class ExtractionResult(Struct):
    """What was extracted, and why."""

    code: Annotated[str | None, Meta(description="The verification code", examples=["482913"])] = None
    link: Annotated[str | None, Meta(description="The link to open to verify, sign in or reset", examples=[None])] = (
        None
    )
    codes: Annotated[list[CodeItem], Meta(description="What may be the code, best first")] = []
    links: Annotated[list[LinkItem], Meta(description="The links of the mail, best first")] = []
    version: Annotated[int, Meta(description="Of the built-in extraction that gave this", examples=[VERSION])] = VERSION
    code_threshold: Annotated[
        float, Meta(description="The best candidate is the code from this score on", examples=[CODE_THRESHOLD])
    ] = CODE_THRESHOLD
    link_threshold: Annotated[
        float, Meta(description="The best link is the one to open from this score on", examples=[LINK_THRESHOLD])
    ] = LINK_THRESHOLD


def result_of(extraction: Extraction) -> ExtractionResult:
    """The result as it is answered."""
    return msgspec.convert(extraction, ExtractionResult, from_attributes=True)


@endpoint(
    "POST /api/v1/extract",
    action="extraction.try",
    tag="Extraction",
    takes="message/rfc822",
    body_example=RAW_MAIL,
    errors=(Refusal(400, "the body is empty: send the raw mail"),),
)
async def extract(call: Call, body: bytes) -> ExtractionResult:
    """What is extracted from a mail, with all candidates and their reasons.

    The body is the raw mail (`curl --data-binary @mail.eml`), read as it would be on receipt now: by the built-in
    extraction and the rules of the admin. Rules for some recipients see those in To and Cc. Nothing is stored.
    """
    if not body:
        raise BadRequest("the body is empty: send the raw mail")
    extractor = call.services.extractor
    await extractor.refresh()
    return result_of((await extractor.read(body)).extraction)


ENDPOINTS: tuple[Endpoint, ...] = (extract,)
