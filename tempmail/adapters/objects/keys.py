"""Which object keys are allowed. One rule for every object store, so that a key that one takes, all take."""

import re

MAX_KEY_BYTES = 1024
"""Of a whole key in UTF-8, a bucket's prefix included (Amazon S3: object key naming)."""

MAX_SEGMENT_BYTES = 255
"""Of one part between slashes in UTF-8: the longest file name that Linux file systems take."""

# Control characters of both sets, the backslash (a separator elsewhere), and lone surrogates, which have no UTF-8 form.
_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\\\\\ud800-\udfff]")


def validate_key(key: str) -> None:
    """Refuse with ValueError a key that is absolute, too long, or holds `.` or `..` as a segment, an empty segment,
    a backslash, a control character or a lone surrogate.

    >>> validate_key("2026/11/20/box@example.com/101500-1f.eml")
    """
    if _REFUSED.search(key):
        raise ValueError("the object key holds a control character, a backslash or a lone surrogate")
    if len(key.encode()) > MAX_KEY_BYTES:
        raise ValueError(f"the object key is longer than {MAX_KEY_BYTES} bytes")
    for segment in key.split("/"):
        if segment in {"", ".", ".."}:
            raise ValueError("the object key has an empty, '.' or '..' segment")
        if len(segment.encode()) > MAX_SEGMENT_BYTES:
            raise ValueError(f"a segment of the object key is longer than {MAX_SEGMENT_BYTES} bytes")
