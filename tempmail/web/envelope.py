"""The envelope of seed 002: `{"code": 200, "message": "success", "data": …}`. Its errors are made in `problems.py`."""

from typing import Annotated, Generic, TypeVar

from msgspec import Meta, Struct

T = TypeVar("T")


class Enveloped(Struct, Generic[T], kw_only=True):
    """Done."""

    code: Annotated[int, Meta(description="The HTTP status", examples=[200])] = 200
    message: Annotated[str, Meta(description="Always `success`", examples=["success"])] = "success"
    data: Annotated[T, Meta(description="What was asked for")]
