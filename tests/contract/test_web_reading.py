"""Answers to requests that change nothing: seed 004 and the original's behaviour, case by case."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.web_suite import Client, Server

BOX = "box@temp.example.com"
LIST = "/api/emails"
BATCH = "/api/emails/batch"
BOXES = "/api/mailboxes"


@dataclass
class Seeded:
    """60 mails in BOX, then one in another mailbox; 25 further mailboxes. Ids are 1 to 61."""

    server: Server
    root: Client


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    with Server(tmp_path_factory.mktemp("web")) as server:
        for number in range(1, 61):
            assert server.deliver(BOX, subject=f"Mail {number}") == number
        assert server.deliver("Mixed.Case+tag@temp.example.com", verification_code=None, preview=None) == 61
        for number in range(24):
            server.clock.advance(1)
            server.mailbox(f"bulk{number:02}@Mail.Example.org")
        server.clock.advance(1)
        server.mailbox("under_score@temp.example.com")
        yield Seeded(server, server.root())


def ids(rows: Any) -> list[int]:
    return [row["id"] for row in rows]


def test_a_listed_mail_has_the_documented_fields(seeded: Seeded) -> None:
    newest = seeded.root.get(LIST, params={"mailbox": BOX, "limit": 1}).json()
    assert newest == [
        {
            "id": 60,
            "sender": "sender@example.com",
            "to_addrs": "box@temp.example.com",
            "subject": "Mail 60",
            "received_at": "2024-01-01 12:00:00",
            "is_read": 0,
            "preview": "Your code is 123456",
            "verification_code": "123456",
        }
    ]


def test_a_mail_without_code_or_text_shows_null(seeded: Seeded) -> None:
    (mail,) = seeded.root.get(LIST, params={"mailbox": "tag@temp.example.com"}).json()
    assert (mail["preview"], mail["verification_code"]) == (None, None)
    assert mail["to_addrs"] == "Mixed.Case+tag@temp.example.com"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({}, list(range(60, 40, -1)), id="20 unless told"),
        pytest.param({"limit": "3"}, [60, 59, 58], id="limit"),
        pytest.param({"limit": "50"}, list(range(60, 10, -1)), id="limit at 50"),
        pytest.param({"limit": "51"}, list(range(60, 10, -1)), id="limit over 50 is 50"),
        pytest.param({"limit": "1"}, [60], id="limit at 1"),
        pytest.param({"limit": "0"}, [60], id="limit 0 is the least"),
        pytest.param({"limit": "-1"}, [60], id="a negative limit is not everything"),
        pytest.param({"limit": "abc"}, list(range(60, 40, -1)), id="no number falls to the default"),
        pytest.param({"limit": ""}, list(range(60, 40, -1)), id="an empty limit falls to the default"),
        pytest.param({"limit": "2.9"}, [60, 59], id="a fraction counts as its whole part"),
        pytest.param({"limit": "2xyz"}, [60, 59], id="leading digits count"),
        pytest.param({"limit": " 2"}, [60, 59], id="white space before a number"),
        pytest.param({"limit": "9" * 40}, list(range(60, 10, -1)), id="a number of 40 digits"),
        pytest.param({"limit": "٣"}, list(range(60, 40, -1)), id="digits of other scripts are no number"),
        pytest.param({"limit": ["2", "3"]}, [60, 59], id="the first of a repeated name counts"),
    ],
)
def test_a_list_is_as_long_as_its_limit_read_as_the_original_does(
    seeded: Seeded, query: dict[str, Any], expected: list[int]
) -> None:
    answer = seeded.root.get(LIST, params={"mailbox": BOX, **query})
    assert (answer.status_code, ids(answer.json())) == (200, expected)


@pytest.mark.parametrize(
    ("mailbox", "found"),
    [
        pytest.param(BOX, True, id="plain"),
        pytest.param("BOX@TEMP.Example.com", True, id="any case"),
        pytest.param("  box@temp.example.com ", True, id="white space around"),
        pytest.param("Name <box@temp.example.com>", True, id="with a name"),
        pytest.param('"A, B" <Box@temp.example.com>', True, id="with a quoted name"),
        pytest.param("<box@temp.example.com>", True, id="in brackets"),
        pytest.param("box@temp.example.com other@temp.example.com", True, id="the first word counts"),
        pytest.param("some.box@temp.example.com", False, id="no alias rule when reading"),
        pytest.param("nobody@temp.example.com", False, id="unknown"),
        pytest.param("not an address", False, id="not an address"),
        pytest.param("b_x@temp.example.com", False, id="no pattern"),
        pytest.param("' or 1=1 --", False, id="no SQL"),
        pytest.param("box@temp.example.com\x00", False, id="a zero byte"),
    ],
)
def test_a_mailbox_is_found_by_its_address_alone_in_any_case_and_form(
    seeded: Seeded, mailbox: str, found: bool
) -> None:
    answer = seeded.root.get(LIST, params={"mailbox": mailbox})
    assert (answer.status_code, len(answer.json())) == (200, 20 if found else 0)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param("3,1,2", [1, 2, 3], id="by id"),
        pytest.param("2,2", [2], id="each once"),
        pytest.param("1,999", [1], id="missing ones are left out"),
        pytest.param("999", [], id="only missing ones"),
        pytest.param("", [], id="none"),
        pytest.param("0,-1,x,,1", [1], id="what is no id is dropped"),
        pytest.param("1 , 2", [1, 2], id="white space"),
        pytest.param("9" * 30, [], id="beyond any id"),
        pytest.param(",".join(map(str, range(1, 51))), list(range(1, 51)), id="50"),
        pytest.param(",".join(map(str, [*range(1, 51), 0])), list(range(1, 51)), id="50 after dropping"),
    ],
)
def test_a_batch_holds_the_mails_that_exist_once_each_by_id(seeded: Seeded, wanted: str, expected: list[int]) -> None:
    answer = seeded.root.get(BATCH, params={"ids": wanted})
    assert (answer.status_code, ids(answer.json())) == (200, expected)


def test_a_mail_in_a_batch_has_the_documented_fields(seeded: Seeded) -> None:
    (mail,) = seeded.root.get(BATCH, params={"ids": "60"}).json()
    key = mail.pop("r2_object_key")
    assert key.startswith("2024/01/01/box@temp.example.com/120000-")
    assert mail == {
        "id": 60,
        "sender": "sender@example.com",
        "to_addrs": "box@temp.example.com",
        "subject": "Mail 60",
        "verification_code": "123456",
        "preview": "Your code is 123456",
        "r2_bucket": "mail-eml",
        "received_at": "2024-01-01 12:00:00",
        "is_read": 0,
    }


def test_a_listed_mailbox_has_the_documented_fields(seeded: Seeded) -> None:
    answer = seeded.root.get(BOXES, params={"q": BOX}).json()
    assert answer == {
        "list": [
            {
                "id": 1,
                "address": BOX,
                "created_at": "2024-01-01 12:00:00",
                "is_pinned": 0,
                "password_is_default": 1,
                "can_login": 0,
                "forward_to": None,
                "is_favorite": 0,
            }
        ],
        "total": 1,
    }


@pytest.mark.parametrize(
    ("query", "count", "total"),
    [
        pytest.param("", 27, 27, id="100 unless told"),
        pytest.param("limit=5", 5, 27, id="limit"),
        pytest.param("limit=0", 1, 27, id="limit 0 is the least"),
        pytest.param("limit=-5", 1, 27, id="a negative limit is the least"),
        pytest.param("limit=501", 27, 27, id="a large limit"),
        pytest.param("limit=5&offset=25", 2, 27, id="offset"),
        pytest.param("offset=-1", 27, 27, id="a negative offset is 0"),
        pytest.param("offset=x", 27, 27, id="an offset that is no number is 0"),
        pytest.param("offset=99999999999999999999", 0, 27, id="a huge offset"),
        pytest.param("page=1", 20, 27, id="20 on a page"),
        pytest.param("page=2", 7, 27, id="the last page"),
        pytest.param("page=3", 0, 27, id="beyond the last page"),
        pytest.param("page=0", 20, 27, id="page 0 is the first"),
        pytest.param("page=x", 20, 27, id="a page that is no number is the first, and still a page"),
        pytest.param("page=1.5", 20, 27, id="a fraction of a page"),
        pytest.param("size=10", 10, 27, id="size alone selects pages"),
        pytest.param("size=x", 20, 27, id="a size that is no number is 20"),
        pytest.param("size=2.5", 2, 27, id="a fraction of a size"),
        pytest.param("page=2&size=10", 10, 27, id="page and size"),
        pytest.param("page=2&size=10&limit=3&offset=1", 10, 27, id="pages win over limit and offset"),
        pytest.param("page=99999999999&size=500", 0, 27, id="a huge page"),
        pytest.param("q=bulk1", 10, 10, id="a part of the address"),
        pytest.param("q=%20BULK1%20", 10, 10, id="any case, white space around"),
        pytest.param("q=_", 1, 1, id="an underscore is itself"),
        pytest.param("q=%25", 0, 0, id="a percent sign is itself"),
        pytest.param("q=%5C", 0, 0, id="a backslash is itself"),
        pytest.param("q=", 27, 27, id="an empty search"),
        pytest.param("domain=mail.example.org", 24, 24, id="domain"),
        pytest.param("domain=Mail.Example.org", 24, 24, id="domain in any case"),
        pytest.param("domain=example.org", 0, 0, id="a part of a domain is none"),
        pytest.param("domain=mail.example.org&q=bulk00", 1, 1, id="filters together"),
        pytest.param("favorite=true", 0, 0, id="favourites"),
        pytest.param("favorite=not-favorite", 27, 27, id="not favourites"),
        pytest.param("favorite=perhaps", 27, 27, id="an unknown word filters nothing"),
        pytest.param("forward=has-forward", 0, 0, id="forwarded"),
        pytest.param("forward=no-forward", 27, 27, id="not forwarded"),
        pytest.param("forward=0", 27, 27, id="not forwarded, as 0"),
        pytest.param("login=allowed", 0, 0, id="may log in"),
        pytest.param("login=denied", 27, 27, id="may not log in"),
        pytest.param("login=1", 0, 0, id="may log in, as 1"),
        pytest.param("login=FALSE", 27, 27, id="may not log in, any case"),
        pytest.param("unknown=1", 27, 27, id="unknown names are ignored"),
    ],
)
def test_a_mailbox_list_is_filtered_paged_and_counted(seeded: Seeded, query: str, count: int, total: int) -> None:
    answer = seeded.root.get(f"{BOXES}?{query}")
    assert answer.status_code == 200
    assert (len(answer.json()["list"]), answer.json()["total"]) == (count, total)


def test_mailboxes_are_listed_newest_first(seeded: Seeded) -> None:
    listed = seeded.root.get(BOXES, params={"domain": "mail.example.org", "limit": 3}).json()["list"]
    assert [item["address"][:6] for item in listed] == ["bulk23", "bulk22", "bulk21"]


def test_domains_are_listed_as_configured_without_wildcards(seeded: Seeded) -> None:
    assert seeded.root.get("/api/domains").json() == ["temp.example.com", "Mail.Example.org"]


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        pytest.param("GET", LIST, 400, "缺少 mailbox 参数", id="a list without mailbox"),
        pytest.param("GET", f"{LIST}?mailbox=", 400, "缺少 mailbox 参数", id="a list with an empty mailbox"),
        pytest.param("GET", f"{LIST}?mailbox=%20%20", 400, "缺少 mailbox 参数", id="a list with a blank mailbox"),
        pytest.param("DELETE", LIST, 400, "缺少 mailbox 参数", id="clear without mailbox"),
        pytest.param("DELETE", BOXES, 400, "缺少 address 参数", id="delete without address"),
        pytest.param("DELETE", f"{BOXES}?address=%20", 400, "缺少 address 参数", id="delete with a blank address"),
        pytest.param(
            "GET", f"{BATCH}?ids={','.join(map(str, range(1, 52)))}", 400, "单次最多查询50封邮件", id="a batch of 51"
        ),
        pytest.param("GET", f"{BATCH}?ids={'1,' * 51}", 400, "单次最多查询50封邮件", id="a batch of one id 51 times"),
        pytest.param("GET", "/api/email/999", 404, "未找到邮件", id="a missing mail"),
        pytest.param("GET", "/api/email/0", 404, "未找到邮件", id="mail 0"),
        pytest.param("GET", "/api/email/-1", 404, "未找到邮件", id="mail -1"),
        pytest.param("GET", "/api/email/abc", 404, "未找到邮件", id="a mail that is no number"),
        pytest.param("GET", f"/api/email/{'9' * 30}", 404, "未找到邮件", id="a mail beyond any id"),
        pytest.param("GET", "/api/email/999/download", 404, "未找到邮件", id="download of a missing mail"),
        pytest.param("DELETE", "/api/email/999", 404, "未找到邮件", id="delete of a missing mail"),
        pytest.param("DELETE", "/api/email/abc", 400, "无效的邮件ID", id="delete of what is no id"),
        pytest.param("DELETE", "/api/email/0", 400, "无效的邮件ID", id="delete of mail 0"),
        pytest.param("GET", "/api/nothing", 404, "未找到 API 路径", id="an unknown path"),
        pytest.param("GET", "/api/", 404, "未找到 API 路径", id="no path at all"),
        pytest.param("GET", f"{LIST}/", 404, "未找到 API 路径", id="a slash at the end"),
        pytest.param("GET", "/api/email/1/xyz", 404, "未找到 API 路径", id="a segment too many"),
        pytest.param("PUT", LIST, 404, "未找到 API 路径", id="a wrong method"),
        pytest.param("POST", "/api/email/1/read", 404, "未找到 API 路径", id="a path of the original's page only"),
        pytest.param("GET", "/api/login", 404, "未找到 API 路径", id="GET of a POST"),
        pytest.param("OPTIONS", LIST, 404, "未找到 API 路径", id="OPTIONS"),
        pytest.param("GET", "/elsewhere", 404, "Not Found", id="outside the API"),
        pytest.param("POST", "/docs", 404, "Not Found", id="a wrong method outside the API"),
        pytest.param("GET", f"{BOXES}?{'&'.join(['a=1'] * 65)}", 400, "Bad Request", id="65 query fields"),
    ],
)
def test_each_error_has_its_status_and_text(seeded: Seeded, method: str, path: str, status: int, text: str) -> None:
    answer = seeded.root(method, path)
    assert (answer.status_code, answer.json()) == (status, {"error": text})


def test_64_query_fields_are_accepted(seeded: Seeded) -> None:
    assert seeded.root.get(f"{BOXES}?{'&'.join(['a=1'] * 64)}").status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/emails", "/api/nothing", "/api/session", "/api/email/1", "/api/login", "/api/", "/api/generate"]
)
def test_without_a_credential_the_api_says_unauthorized(seeded: Seeded, path: str) -> None:
    answer = seeded.server.client().get(path)
    assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("path", "status"), [("/api/session", 200), ("/api/emails?mailbox=a@b", 404), ("/api/generate", 404)]
)
def test_head_is_answered_for_the_session_only(seeded: Seeded, path: str, status: int) -> None:
    before = seeded.root.get(BOXES).json()["total"]
    answer = seeded.root("HEAD", path)
    assert (answer.status_code, answer.content) == (status, b"")
    assert seeded.root.get(BOXES).json()["total"] == before


def test_json_is_utf_8_without_escapes_or_charset(seeded: Seeded) -> None:
    answer = seeded.root.get("/api/nothing")
    assert answer.content == '{"error":"未找到 API 路径"}'.encode()
    assert answer.headers["content-type"] == "application/json"


def test_every_mail_of_a_mailbox_is_reached_page_by_page(seeded: Seeded) -> None:
    seen: list[int] = []
    while page := ids(
        seeded.root.get(LIST, params={"mailbox": BOX, "limit": 25, **({"before": seen[-1]} if seen else {})}).json()
    ):
        seen += page

    assert seen == list(range(60, 0, -1))


@pytest.mark.parametrize(("before", "newest"), [("abc", 60), ("-5", None), ("0", None), ("1", None), ("2", 1)])
def test_a_page_begins_below_the_id_that_is_given(seeded: Seeded, before: str, newest: int | None) -> None:
    page = ids(seeded.root.get(LIST, params={"mailbox": BOX, "before": before}).json())

    assert page[:1] == ([] if newest is None else [newest])


def test_an_attachment_is_answered_decoded_as_a_file_to_save(seeded: Seeded) -> None:
    [listed] = seeded.root.get("/api/v1/messages/60").json()["attachments"]

    answer = seeded.root.get(f"/api/v1/messages/60/attachments/{listed['part']}")

    assert answer.content == b"hello"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''a.pdf"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("part", ["0", "1", "99", "x"])
def test_a_part_that_is_no_attachment_is_not_found(seeded: Seeded, part: str) -> None:
    answer = seeded.root.get(f"/api/v1/messages/60/attachments/{part}")

    assert answer.status_code == 404
    assert answer.json()["error"].startswith("no attachment")
