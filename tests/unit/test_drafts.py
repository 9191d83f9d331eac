"""What a caller may ask to be sent, each limit at its edge, and what comes out of it."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempmail.domain.drafts import (
    GRACE_S,
    MAX_AHEAD_S,
    MAX_ATTACHMENT_BYTES,
    MAX_ATTACHMENTS,
    MAX_BODY_BYTES,
    MAX_FILENAME_CHARS,
    MAX_HEADER_CHARS,
    MAX_HEADERS,
    MAX_LIST_CHARS,
    MAX_NAME_CHARS,
    MAX_RECIPIENTS,
    MAX_SUBJECT_CHARS,
    OWN_HEADERS,
    Draft,
    DraftAttachment,
    compose,
    recipients_of,
    send_time,
    split_list,
)
from tempmail.domain.outbound import Attachment, Capabilities, OutboundMessage, RecipientKind
from tempmail.domain.outbound_fields import check_message
from tempmail.errors import BadRequest

NOW = datetime(2024, 1, 1, 12, 0, tzinfo=UTC).timestamp()
ABLE = Capabilities(
    max_to=50, cc=True, bcc=True, reply_to=True, html_with_text=True, headers=True, tags=True, attachments=True
)


def draft(**changes: Any) -> Draft:
    fields: dict[str, Any] = {"sender": "me@a.example", "to": ("you@b.example",), "subject": "S", "text": "t"}
    return Draft(**{**fields, **changes})


def composed(**changes: Any) -> OutboundMessage:
    message = compose(draft(**changes), message_id="<u@a.example>")
    check_message("any provider", ABLE, message)
    return message


def refused(**changes: Any) -> str:
    with pytest.raises(BadRequest) as told:
        composed(**changes)
    return str(told.value)


def attachment(content: bytes = b"hello", filename: str = "a.txt", **fields: Any) -> DraftAttachment:
    return DraftAttachment(filename, base64.b64encode(content).decode(), **fields)


def test_every_field_arrives_where_it_belongs() -> None:
    message = composed(
        sender="Shop <Me@A.example>",
        to=('"Doe, Ann" <Ann@b.example>, c@d.example', "e@f.example"),
        cc=("cc@b.example",),
        bcc=("bcc@b.example",),
        reply_to=("Help <help@a.example>",),
        subject="主题",
        html="<p>x</p>",
        headers=(("X-Ref", "7"),),
        attachments=(attachment(content_id="<logo>"),),
    )
    assert message == OutboundMessage(
        from_addr="me@a.example",
        from_name="Shop",
        to=('"Doe, Ann" <Ann@b.example>', "c@d.example", "e@f.example"),
        cc=("cc@b.example",),
        bcc=("bcc@b.example",),
        reply_to=("Help <help@a.example>",),
        subject="主题",
        html="<p>x</p>",
        text="t",
        headers=(("X-Ref", "7"),),
        attachments=(Attachment("a.txt", b"hello", "text/plain", "logo"),),
        message_id="<u@a.example>",
    )


def test_the_sender_s_own_field_wins_over_the_name_in_from() -> None:
    assert composed(sender="Shop <me@a.example>", sender_name=" 商店 ").from_name == "商店"


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a@b.c,d@e.f", ["a@b.c", "d@e.f"]),
        ("a@b.c; d@e.f ;", ["a@b.c", "d@e.f"]),
        ("a@b.c，d@e.f；g@h.i", ["a@b.c", "d@e.f", "g@h.i"]),
        ('"A, B" <a@b.c>,d@e.f', ['"A, B" <a@b.c>', "d@e.f"]),
        (r'"A\", B" <a@b.c>', [r'"A\", B" <a@b.c>']),
        ("<a,b@c.d>", ["<a,b@c.d>"]),
        (" , ;", []),
        ("", []),
    ],
)
def test_lists_are_split_at_commas_and_semicolons_that_stand_outside(text: str, pieces: list[str]) -> None:
    assert split_list(text) == pieces


def test_nobody_gets_a_mail_twice_whatever_the_case() -> None:
    message = composed(to=("A@b.example, a@B.example",), cc=("a@b.example", "c@b.example"), bcc=("C@b.example",))
    assert recipients_of(message) == ((RecipientKind.TO, "A@b.example"), (RecipientKind.CC, "c@b.example"))


@pytest.mark.parametrize("field", ["to", "cc", "bcc", "reply_to"])
@pytest.mark.parametrize("text", ["nobody", "a@b@c.example", "a b@c.example", "a@b.example\r\nBcc: x@y.example", "<>"])
def test_what_is_no_address_is_refused_and_shown_on_one_line(field: str, text: str) -> None:
    told = refused(**{field: (text,)})
    assert "地址无效: " in told
    assert told.isprintable()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"sender": ""}, "发件人地址为空"),
        ({"sender": "nobody"}, "发件人地址无效: nobody"),
        ({"to": ()}, "缺少收件人"),
        ({"to": (" ; ",)}, "缺少收件人"),
        ({"subject": " "}, "缺少主题 subject"),
        ({"subject": "a\r\nBcc: x@y.example"}, "主题不能包含换行等控制字符"),
        ({"subject": "a\ud800"}, "主题不能包含换行等控制字符"),
        ({"text": ""}, "邮件内容为空：html 与 text 至少填写一个"),
        ({"sender_name": "a\nb"}, "名称不能包含换行等控制字符"),
        ({"sender": '"a\tb" <me@a.example>'}, "名称不能包含换行等控制字符"),
        ({"headers": (("Bad Name", "x"),)}, "headers 名称无效: Bad Name"),
        ({"headers": (("X-A", "1"), ("x-a", "2"))}, "headers 不能包含 x-a"),
        ({"headers": (("X-A", "1\r\nBcc: x@y.example"),)}, "headers 的值无效: X-A"),
        ({"attachments": (DraftAttachment("a.txt", None),)}, "附件缺少 content: a.txt"),
        ({"attachments": (DraftAttachment("a.txt", "no base64!"),)}, "附件 content 不是有效的 base64: a.txt"),
        ({"attachments": (attachment(filename=""),)}, "附件 filename 无效: "),
        ({"attachments": (attachment(filename="../a"),)}, "附件 filename 无效: ../a"),
        ({"attachments": (attachment(content_type="text"),)}, "附件 contentType 无效: a.txt"),
        ({"attachments": (attachment(content_id="a b"),)}, "附件 contentId 无效: a.txt"),
    ],
)
def test_what_is_missing_or_wrong_is_told(changes: dict[str, Any], text: str) -> None:
    assert refused(**changes) == text


@pytest.mark.parametrize("name", sorted({*OWN_HEADERS, "content-type", "Content-Language", "BCC"}))
def test_headers_that_the_mail_has_by_itself_cannot_be_given(name: str) -> None:
    assert refused(headers=((name, "x"),)) == f"headers 不能包含 {name}"


def people(number: int) -> tuple[str, ...]:
    return tuple(f"p{each}@b.example" for each in range(number))


def test_recipients_have_a_limit_over_all_fields() -> None:
    assert len(recipients_of(composed(to=people(MAX_RECIPIENTS)))) == MAX_RECIPIENTS
    assert len(recipients_of(composed(to=people(MAX_RECIPIENTS - 1), bcc=("last@b.example",)))) == MAX_RECIPIENTS
    assert refused(to=people(MAX_RECIPIENTS + 1)) == "收件人最多 50 个"
    assert refused(to=people(MAX_RECIPIENTS), bcc=("last@b.example",)) == "收件人最多 50 个"


def test_lists_have_a_limit_before_they_are_read() -> None:
    assert refused(to=("," * MAX_LIST_CHARS,)) == "缺少收件人"
    assert refused(to=("," * (MAX_LIST_CHARS + 1),)) == "收件人最多 50 个"
    assert refused(to=("",) * (MAX_LIST_CHARS + 1)) == "收件人最多 50 个"


def test_a_subject_has_a_limit() -> None:
    assert len(composed(subject="s" * MAX_SUBJECT_CHARS).subject) == MAX_SUBJECT_CHARS
    assert refused(subject="s" * (MAX_SUBJECT_CHARS + 1)) == "主题最多 998 个字符"


def test_a_name_has_a_limit() -> None:
    assert composed(sender_name="n" * MAX_NAME_CHARS).from_name
    assert refused(sender_name="n" * (MAX_NAME_CHARS + 1)) == "名称最多 200 个字符"


@pytest.mark.parametrize("field", ["html", "text"])
def test_a_body_has_a_limit_in_bytes(field: str) -> None:
    assert composed(**{field: "é" * (MAX_BODY_BYTES // 2)})
    assert refused(**{field: "é" * (MAX_BODY_BYTES // 2) + "x"}) == "html 与 text 最多各 4 MB"


def test_headers_have_limits() -> None:
    def headers(number: int) -> tuple[tuple[str, str], ...]:
        return tuple((f"X-{each}", "x") for each in range(number))

    assert len(composed(headers=headers(MAX_HEADERS)).headers) == MAX_HEADERS
    assert refused(headers=headers(MAX_HEADERS + 1)) == "headers 最多 50 个"
    assert composed(headers=(("X-A", "v" * MAX_HEADER_CHARS),))
    assert refused(headers=(("X-A", "v" * (MAX_HEADER_CHARS + 1)),)) == "headers 的值无效: X-A"


def test_attachments_have_a_limit_together() -> None:
    half = attachment(bytes(MAX_ATTACHMENT_BYTES // 2))
    assert len(composed(attachments=(half, half)).attachments) == 2
    assert refused(attachments=(half, half, attachment(b"x"))) == "附件总大小最多 20 MB"
    assert refused(attachments=(half,) * 5) == "附件总大小最多 20 MB"


def test_attachments_have_a_number() -> None:
    assert composed(attachments=(attachment(),) * MAX_ATTACHMENTS)
    assert refused(attachments=(attachment(),) * (MAX_ATTACHMENTS + 1)) == "附件最多 50 个"


def test_a_file_name_has_a_limit() -> None:
    assert composed(attachments=(attachment(filename="f" * MAX_FILENAME_CHARS),))
    assert refused(attachments=(attachment(filename="f" * (MAX_FILENAME_CHARS + 1)),)).startswith("附件 filename 无效")


@pytest.mark.parametrize(
    ("filename", "given", "kind"),
    [
        ("a.PDF", "", "application/pdf"),
        ("a.bin", "", "application/octet-stream"),
        ("a", "", "application/octet-stream"),
        ("a.pdf", "text/plain; charset=utf-8", "text/plain; charset=utf-8"),
    ],
)
def test_a_file_s_type_is_the_given_one_or_that_of_its_name(filename: str, given: str, kind: str) -> None:
    assert (
        composed(attachments=(attachment(filename=filename, content_type=given),)).attachments[0].content_type == kind
    )


def test_base64_may_be_broken_into_lines() -> None:
    assert composed(attachments=(DraftAttachment("a.txt", "aGVs\r\nbG8="),)).attachments[0].content == b"hello"


@given(
    st.builds(
        Draft,
        sender=st.text(max_size=30),
        to=st.tuples(st.text(max_size=30)),
        subject=st.text(max_size=20),
        sender_name=st.text(max_size=20),
        text=st.text(max_size=20),
        headers=st.lists(st.tuples(st.text(max_size=10), st.text(max_size=10)), max_size=2).map(tuple),
    )
)
def test_whatever_is_asked_for_is_refused_in_words_or_fit_for_every_provider(asked: Draft) -> None:
    try:
        message = compose(asked, message_id="<u@a.example>")
    except BadRequest:
        return
    check_message("any provider", ABLE, message)


NOON = "2024-01-01T12:00:00"


@pytest.mark.parametrize(
    ("asked", "in_s"),
    [
        (None, None),
        ("", None),
        ("2024-01-01T12:05:00Z", 300),
        ("2024-01-01T20:05:00+08:00", 300),
        ("2024-01-01 12:05:00.5+00:00", 300.5),
        (int(NOW + 300) * 1000, 300),
        (float(NOW + 300) * 1000, 300),
        (str(int(NOW + 300) * 1000), 300),
        ("in 5 minutes", 300),
        ("In 1 min", 60),
        ("in 90 s", 90),
        ("in 2 hours", 7200),
        ("in 3 days", 259_200),
        ("2024-01-01T12:00:00Z", None),
        (NOW * 1000 - GRACE_S * 1000, None),
        (NOW * 1000 + MAX_AHEAD_S * 1000, MAX_AHEAD_S),
    ],
)
def test_a_time_can_be_said_in_these_ways(asked: str | float | None, in_s: float | None) -> None:
    at = send_time(asked, now=NOW)
    assert (None if at is None else at - NOW) == in_s


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("tomorrow", "scheduledAt 无效"),
        ("2024-01-01T13:00:00", "scheduledAt 无效"),
        ("2024-13-01T13:00:00Z", "scheduledAt 无效"),
        ("in five minutes", "scheduledAt 无效"),
        ("0001-01-01T00:00:00+23:59", "scheduledAt 已经过去"),
        (NOW, "scheduledAt 已经过去"),
        (NOW * 1000 - GRACE_S * 1000 - 1000, "scheduledAt 已经过去"),
        ("2024-01-01T11:58:59Z", "scheduledAt 已经过去"),
        (NOW * 1000 + MAX_AHEAD_S * 1000 + 1000, "scheduledAt 超出范围：最多提前一年"),
        (1e308, "scheduledAt 超出范围：最多提前一年"),
        (-1e308, "scheduledAt 已经过去"),
        ("in 999999999 days", "scheduledAt 超出范围：最多提前一年"),
    ],
)
def test_other_times_are_refused(asked: str | float, text: str) -> None:
    with pytest.raises(BadRequest) as told:
        send_time(asked, now=NOW)
    assert str(told.value).startswith(text)
