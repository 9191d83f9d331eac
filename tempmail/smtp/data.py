"""The body of DATA: where it ends, what it holds, how large it may be."""

from io import BytesIO

TERMINATOR = b"\r\n.\r\n"
_STUFFED = b"\r\n."

_BLOCK_BYTES = 65_536
"""Smaller parts are gathered into blocks of this size: a client that sends byte by byte must not cost an object for
each."""

DISCARD_FACTOR = 4
"""A mail over the limit is read on (RFC 5321 4.5.3.1.9: the answer comes after its end), but no further than this many
times the limit."""


class DataReader:
    """Takes what the client sends after 354, block by block, and knows when the mail is whole.

    Only CRLF.CRLF ends a mail, the CRLF of the DATA line counting as the first of an empty one (RFC 5321 4.1.1.4);
    no bare CR or LF means anything. A dot that begins a line is taken away (4.5.2). How the blocks are cut changes
    nothing. Memory: one copy of the mail, a second while `message` joins it, none of what is over the limit.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._blocks: list[bytes] = []
        self._block = BytesIO()
        self.size_bytes = 0
        self._discarded_bytes = 0
        # What may turn out to be part of the terminator, held back until more comes.
        self._tail = b"\r\n"
        self._is_first = True
        self.is_ended = False
        self.rest = b""
        """What came after the terminator."""

    @property
    def is_too_large(self) -> bool:
        return self.size_bytes > self._max_bytes

    @property
    def is_endless(self) -> bool:
        """Too much came after the limit: the end is not worth waiting for."""
        return self._discarded_bytes > DISCARD_FACTOR * self._max_bytes

    def feed(self, block: bytes) -> bool:
        """Take one block. True when nothing more is wanted: the mail ended, or never will."""
        window = self._tail + block
        # Most blocks hold neither a terminator nor a stuffed dot: they are searched once.
        if _STUFFED in window:
            end = window.find(TERMINATOR)
            if end >= 0:
                self.is_ended = True
                self.rest = window[end + len(TERMINATOR) :]
                # The terminator's CRLF is the end of the last line, so it belongs to the mail.
                window = window[: end + 2]
                self._tail = b""
                self._keep(window.replace(_STUFFED, b"\r\n"))
                return True
            window = self._hold_back(window).replace(_STUFFED, b"\r\n")
        else:
            window = self._hold_back(window)
        self._keep(window)
        return self.is_endless

    def message(self) -> bytes:
        """The whole mail, with CRLF at its end unless it is empty. Ask when it ended within the limit.

        A large mail is joined without holding the interpreter's lock, so that a thread may do it.
        """
        # No copy: BytesIO hands out the buffer it wrote to.
        last = self._block.getvalue()
        return b"".join((*self._blocks, last)) if self._blocks else last

    def _hold_back(self, window: bytes) -> bytes:
        """Set `_tail` to the longest end of `window` that begins a terminator; return what is before it."""
        for length in (4, 3, 2, 1):
            if window.endswith(TERMINATOR[:length]):
                self._tail = window[-length:]
                return window[:-length]
        self._tail = b""
        return window

    def _keep(self, part: bytes) -> None:
        if not part:
            return
        if self._is_first:
            # The CRLF of the DATA line is in front, never split from itself: it is no part of the mail.
            self._is_first = False
            part = part[2:]
        self.size_bytes += len(part)
        if self.is_too_large:
            self._discarded_bytes += len(part)
            self._blocks.clear()
            self._block = BytesIO()
        elif len(part) < _BLOCK_BYTES:
            self._block.write(part)
            if self._block.tell() >= _BLOCK_BYTES:
                self._end_block()
        else:
            self._end_block()
            self._blocks.append(part)

    def _end_block(self) -> None:
        if self._block.tell():
            self._blocks.append(self._block.getvalue())
            self._block = BytesIO()
