"""What several endpoints share: fields, an answer, refusals, how an address is asked for, and how lists are paged."""

from typing import Annotated, Protocol

from msgspec import Meta, Struct

from tempmail.domain.address import normalized_address
from tempmail.errors import BadRequest
from tempmail.web.endpoint import Refusal

MAX_ID = 2**53 - 1
"""The largest id that every JSON reader holds exactly (RFC 8259 6)."""
_MAX_PAGE = 1_000_000
_MAX_OFFSET = 1_000_000_000

Done = Annotated[bool, Meta(description="Always true", examples=[True])]
CreatedAt = Annotated[str, Meta(description="UTC, `YYYY-MM-DD HH:MM:SS`", examples=["2024-01-01 00:00:00"])]
Stamp = Annotated[str, Meta(description="UTC, `YYYY-MM-DD HH:MM:SS`", examples=["2024-01-01 12:00:00"])]
PageNumber = (
    Annotated[
        int,
        Meta(
            description="Page number from 1; selects page/size paging",
            ge=1,
            le=_MAX_PAGE,
            examples=[1],
            extra={"fallback": 1},
        ),
    ]
    | None
)
Offset = Annotated[int, Meta(description="How many to skip", ge=0, le=_MAX_OFFSET)]

MALFORMED = Refusal(400, "Bad Request")
NO_ADDRESS = Refusal(400, "缺少 address 参数")
NO_MAILBOX = Refusal(404, "邮箱不存在")


class Success(Struct):
    """Done."""

    success: Done = True


def required_address(text: str | None) -> str:
    """The address as it is stored. Raises `BadRequest` where there is none."""
    address = normalized_address(text or "")
    if not address:
        raise BadRequest(NO_ADDRESS.text)
    return address


class Paged(Protocol):
    """The query of a list that is paged in the original's two styles."""

    page: int | None
    size: int | None
    limit: int
    offset: int


def window(query: Paged, *, page_size: int) -> tuple[int, int]:
    """(limit, offset) of whichever style was asked for: by page where `page` or `size` is given, the other of which is
    then 1 or `page_size`."""
    if query.page is None and query.size is None:
        return query.limit, query.offset
    size = query.size or page_size
    return size, ((query.page or 1) - 1) * size
