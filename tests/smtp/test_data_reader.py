"""Where a mail ends and what it holds, however the network cuts it."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tempmail.smtp.data import DISCARD_FACTOR, DataReader

# Pieces that a terminator, or what resembles one, can be made of.
PIECES = st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"x", b"..", b"\r\n.", b"\0"]), max_size=40)
NOT_TERMINATORS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\n.\r",
    b"\r.\n",
    b"\r\n..\r\n",
    b"\r\n. \r\n",
    b"\r\n.\0\r\n",
    b"\r\n\0.\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n.\r\r\n",
    b"\r\n.\n\r\n",
    b"\r\0\n.\r\0\n",
    b"\xe2\x80\xa8.\xe2\x80\xa8",
    b"\r\n\xef\xbc\x8e\r\n",
]


def read(*blocks: bytes, max_bytes: int = 1 << 20) -> DataReader:
    reader = DataReader(max_bytes)
    for number, block in enumerate(blocks):
        if reader.feed(block):
            reader.rest += b"".join(blocks[number + 1 :])
            break
    return reader


def reference(sent: bytes) -> tuple[bytes, bytes] | None:
    """(mail, rest) by the letter of RFC 5321 4.1.1.4 and 4.5.2, line by line; None where the mail does not end."""
    mail, at = b"", 0
    while (end := sent.find(b"\r\n", at)) >= 0:
        line = sent[at : end + 2]
        at = end + 2
        if line == b".\r\n":
            return mail, sent[at:]
        mail += line[1:] if line.startswith(b".") else line
    return None


@given(PIECES, PIECES, st.lists(st.integers(0, 200), max_size=20))
@example([b"\r\n."], [b"\r", b"\n"], [2, 3, 4, 5])
def test_any_cut_gives_what_the_rfc_says(before: list[bytes], after: list[bytes], cuts: list[int]) -> None:
    sent = b"".join(before) + b"\r\n.\r\n" + b"".join(after)
    edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    reader = read(*(sent[a:b] for a, b in itertools.pairwise(edges)))
    assert reader.is_ended
    assert (reader.message(), reader.rest) == reference(sent)


@given(PIECES)
def test_byte_by_byte_is_like_at_once(pieces: list[bytes]) -> None:
    sent = b"".join(pieces)
    reader = read(*(bytes([byte]) for byte in sent))
    expected = reference(sent)
    assert reader.is_ended == (expected is not None)
    if expected is not None:
        assert (reader.message(), reader.rest) == expected


@pytest.mark.parametrize("fake", NOT_TERMINATORS, ids=repr)
def test_only_crlf_dot_crlf_ends_a_mail(fake: bytes) -> None:
    sent = b"before" + fake + b"MAIL FROM:<evil@b.example>\r\n"
    for cut in range(len(sent)):
        reader = read(sent[:cut], sent[cut:], b".\r\n")
        assert reader.is_ended
        assert reader.rest == b""
        assert b"MAIL FROM" in reader.message()


def test_the_empty_mail_ends_with_the_line_of_data() -> None:
    reader = read(b".\r\nQUIT\r\n")
    assert (reader.message(), reader.rest) == (b"", b"QUIT\r\n")


def test_a_mail_of_exactly_the_limit_is_kept_and_one_octet_more_is_not() -> None:
    kept = read(b"x" * 98 + b"\r\n.\r\n", max_bytes=100)
    refused = read(b"x" * 99 + b"\r\n.\r\n", max_bytes=100)
    assert not kept.is_too_large
    assert len(kept.message()) == 100
    assert refused.is_ended
    assert refused.is_too_large


def test_stuffed_dots_do_not_count() -> None:
    assert not read(b"..\r\n" * 25 + b".\r\n", max_bytes=75).is_too_large
    assert read(b"..\r\n" * 25 + b".\r\n", max_bytes=74).is_too_large


def test_a_mail_over_the_limit_is_read_on_up_to_a_limit() -> None:
    last_taken = read(b"x" * 101, b"x" * (DISCARD_FACTOR * 100 - 101), max_bytes=100)
    one_more = read(b"x" * 101, b"x" * (DISCARD_FACTOR * 100 - 100), max_bytes=100)
    assert not last_taken.is_endless
    assert one_more.is_endless
    assert not one_more.is_ended


def test_what_is_over_the_limit_is_not_held() -> None:
    reader = DataReader(1000)
    reader.feed(b"x" * 1001)
    assert reader.message() == b""
