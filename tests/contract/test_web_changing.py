"""Requests that change something: seed 004 and the original's behaviour, without its defects."""

import asyncio

import pytest

from tempmail.domain.actor import Role
from tests.contract.web_suite import NOON, RAW, Server

BOX = "box@temp.example.com"


def test_the_first_view_of_a_mail_shows_it_read_with_texts_and_attachments(server: Server) -> None:
    mail = server.deliver(BOX)

    first = server.root().get(f"/api/email/{mail}").json()

    assert first.pop("r2_object_key").endswith(".eml")
    assert [item["filename"] for item in first["attachments"]] == ["a.pdf"]
    assert first.pop("attachments")[0]["size"] == 5
    assert first.pop("content").strip() == "Your code is 123456"
    assert first.pop("html_content").strip() == "<p>Your code is <b>123456</b></p>"
    assert first == {
        "id": mail,
        "sender": "sender@example.com",
        "to_addrs": BOX,
        "subject": "Hello",
        "verification_code": "123456",
        "preview": "Your code is 123456",
        "r2_bucket": "mail-eml",
        "received_at": "2024-01-01 12:00:00",
        "is_read": 1,
        "download": f"/api/email/{mail}/download",
        "attachment_count": 1,
        "size": len(RAW),
        "body_available": True,
    }


def test_only_the_view_of_one_mail_marks_it_read(server: Server) -> None:
    root, mail = server.root(), server.deliver(BOX)

    def is_read() -> int:
        (listed,) = root.get("/api/emails", params={"mailbox": BOX}).json()
        flag: int = listed["is_read"]
        return flag

    root.get("/api/emails/batch", params={"ids": mail})
    root.get(f"/api/email/{mail}/download")
    assert is_read() == 0
    root.get(f"/api/email/{mail}")
    assert is_read() == 1


def test_mails_of_one_second_are_listed_newest_first(server: Server) -> None:
    mails = [server.deliver(BOX) for _ in range(3)]
    listed = server.root().get("/api/emails", params={"mailbox": BOX}).json()
    assert [item["id"] for item in listed] == mails[::-1]


def test_a_list_is_never_older_than_the_last_change(server: Server) -> None:
    def listed() -> list[tuple[int, int]]:
        answer = server.root().get("/api/emails", params={"mailbox": BOX})
        return [(item["id"], item["is_read"]) for item in answer.json()]

    assert listed() == listed() == []
    first = server.deliver(BOX)
    assert listed() == listed() == [(first, 0)]
    server.root().get(f"/api/email/{first}")
    assert listed() == [(first, 1)]
    second = server.deliver(BOX)
    assert listed() == [(second, 0), (first, 1)]
    server.root().delete(f"/api/email/{first}")
    assert listed() == [(second, 0)]
    server.root().delete("/api/mailboxes", params={"address": BOX})
    assert listed() == []


def test_a_remembered_list_is_shown_to_nobody_else(server: Server) -> None:
    owner, other = server.actor(Role.USER), server.actor(Role.USER)
    box = server.own_mailbox(owner)
    server.deliver(box)
    for client in (server.root(), server.client(owner)):
        assert len(client.get("/api/emails", params={"mailbox": box}).json()) == 1

    assert server.client(other).get("/api/emails", params={"mailbox": box}).status_code == 403
    assert server.client(server.actor(Role.MAILBOX)).get("/api/emails", params={"mailbox": box}).status_code == 403


def test_a_download_is_the_raw_mail_byte_for_byte(server: Server) -> None:
    raw = b"Subject: \xff\xfe\x00raw\r\n\r\n\x80\x81\r\n"
    mail = server.deliver(BOX, raw=raw)

    answer = server.root().get(f"/api/email/{mail}/download")

    assert answer.content == raw
    assert answer.headers["content-type"] == "message/rfc822"
    key = server.root().get("/api/emails/batch", params={"ids": mail}).json()[0]["r2_object_key"]
    assert answer.headers["content-disposition"] == f'attachment; filename="{key.rpartition("/")[2]}"'


def test_a_large_mail_is_read_too(server: Server) -> None:
    text = b"line of text\r\n" * 40_000
    mail = server.deliver(BOX, raw=b"Subject: large\r\nContent-Type: text/plain\r\n\r\n" + text)
    assert server.root().get(f"/api/email/{mail}").json()["content"].startswith("line of text")


def forget_body(server: Server, mail: int) -> None:
    key = server.root().get("/api/emails/batch", params={"ids": mail}).json()[0]["r2_object_key"]
    server.run(server.real.store.spool.finish([key], now="2024-01-01 12:00:00"))


def test_a_mail_whose_raw_form_is_gone_still_shows_its_row(server: Server) -> None:
    mail = server.deliver(BOX)
    forget_body(server, mail)

    shown = server.root().get(f"/api/email/{mail}")
    download = server.root().get(f"/api/email/{mail}/download")

    assert shown.status_code == 200
    assert shown.json()["body_available"] is False
    assert (shown.json()["content"], shown.json()["html_content"], shown.json()["attachments"]) == ("", "", [])
    assert (shown.json()["subject"], shown.json()["is_read"]) == ("Hello", 1)
    assert (download.status_code, download.json()) == (404, {"error": "对象不存在"})


def test_while_the_object_store_is_down_rows_are_shown_and_downloads_wait(server: Server) -> None:
    mail = server.deliver(BOX)
    forget_body(server, mail)
    server.real.objects.down = True

    shown = server.root().get(f"/api/email/{mail}")
    download = server.root().get(f"/api/email/{mail}/download")

    assert (shown.status_code, shown.json()["body_available"]) == (200, False)
    assert (download.status_code, download.headers["retry-after"]) == (503, "5")
    assert "secret-bucket-name" not in download.text


def test_a_deleted_mail_is_gone_and_not_deleted_twice(server: Server) -> None:
    mail = server.deliver(BOX)

    first = server.root().delete(f"/api/email/{mail}")
    second = server.root().delete(f"/api/email/{mail}")

    assert first.json() == {"success": True, "deleted": True, "message": "邮件已删除"}
    assert (second.status_code, second.json()) == (404, {"error": "未找到邮件"})
    assert server.root().get(f"/api/email/{mail}").status_code == 404


def test_clearing_a_mailbox_leaves_it_and_all_others(server: Server) -> None:
    for _ in range(3):
        server.deliver(BOX)
    kept = server.deliver("other@temp.example.com")

    cleared = server.root().delete("/api/emails", params={"mailbox": f"Name <{BOX.upper()}>"})

    assert cleared.json() == {"success": True, "deletedCount": 3}
    assert server.root().delete("/api/emails", params={"mailbox": BOX}).json()["deletedCount"] == 0
    assert server.root().get("/api/mailboxes").json()["total"] == 2
    assert server.root().get(f"/api/email/{kept}").status_code == 200


def test_clearing_an_unknown_mailbox_removes_nothing(server: Server) -> None:
    answer = server.root().delete("/api/emails", params={"mailbox": "nobody@temp.example.com"})
    assert answer.json() == {"success": True, "deletedCount": 0}


def test_deleting_a_mailbox_removes_its_mail_too(server: Server) -> None:
    mail = server.deliver(BOX)

    first = server.root().delete("/api/mailboxes", params={"address": f" {BOX.upper()} "})
    second = server.root().delete("/api/mailboxes", params={"address": BOX})

    assert first.json() == {"success": True, "deleted": True}
    assert second.status_code == 404
    assert second.json() == {"error": "邮箱不存在", "success": False, "message": "邮箱不存在"}
    assert server.root().get(f"/api/email/{mail}").status_code == 404
    assert server.root().get("/api/mailboxes").json() == {"list": [], "total": 0}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_generate_makes_a_mailbox_of_8_characters_kept_for_an_hour_at_least(server: Server, method: str) -> None:
    made = server.root()(method, "/api/generate").json()

    local, _, domain = made["email"].partition("@")
    assert (len(local), domain) == (8, "temp.example.com")
    assert local.isalnum()
    assert local == local.lower()
    assert made["expires"] == (NOON + 3600) * 1000
    listed = server.root().get("/api/mailboxes").json()["list"]
    assert [item["address"] for item in listed] == [made["email"]]


@pytest.mark.parametrize(
    ("query", "length", "domain"),
    [
        pytest.param("length=12", 12, "temp.example.com", id="length"),
        pytest.param("length=64", 64, "temp.example.com", id="length at 64"),
        pytest.param("length=65", 64, "temp.example.com", id="length over 64 is 64"),
        pytest.param("length=1e400", 64, "temp.example.com", id="an endless length is 64"),
        pytest.param("length=8.2", 9, "temp.example.com", id="a fraction is rounded up"),
        pytest.param("length=0", 8, "temp.example.com", id="length 0 is the default"),
        pytest.param("length=", 8, "temp.example.com", id="an empty length is the default"),
        pytest.param("length=abc", 8, "temp.example.com", id="no number is the default"),
        pytest.param("length=8x", 8, "temp.example.com", id="a number and more is no number"),
        pytest.param("length=nan", 8, "temp.example.com", id="nan is no number"),
        pytest.param("domainIndex=0", 8, "temp.example.com", id="first domain"),
        pytest.param("domainIndex=1", 8, "Mail.Example.org", id="second domain, in its configured case"),
        pytest.param("domainIndex=2", 8, "Mail.Example.org", id="beyond the last, never a wildcard"),
        pytest.param("domainIndex=-1", 8, "temp.example.com", id="a negative index"),
        pytest.param("domainIndex=0.7", 8, "temp.example.com", id="a fraction is the first"),
        pytest.param("domainIndex=x", 8, "temp.example.com", id="an index that is no number"),
        pytest.param("domainIndex=1e999", 8, "Mail.Example.org", id="an endless index"),
    ],
)
def test_generate_reads_length_and_domain_as_the_original_does(
    shared: Server, query: str, length: int, domain: str
) -> None:
    made = shared.root().get(f"/api/generate?{query}").json()
    local, _, chosen = made["email"].partition("@")
    assert (len(local), chosen) == (length, domain)


def test_a_negative_length_is_refused(shared: Server) -> None:
    answer = shared.root().get("/api/generate?length=-1")
    assert (answer.status_code, answer.json()) == (400, {"error": "无效的邮箱地址"})


def test_generate_never_hands_out_a_name_twice(server: Server) -> None:
    names = set()
    while (answer := server.root().get("/api/generate?length=1")).status_code == 200:
        assert answer.json()["email"] not in names
        names.add(answer.json()["email"])
    assert (answer.status_code, answer.json()) == (400, {"error": "创建失败"})
    assert len(names) <= 36


@pytest.mark.parametrize(
    ("body", "email"),
    [
        pytest.param({"local": "myname", "domainIndex": 0}, "myname@temp.example.com", id="as documented"),
        pytest.param({"local": "myname2"}, "myname2@temp.example.com", id="without domain"),
        pytest.param({"local": "  MyName3 "}, "myname3@temp.example.com", id="trimmed and lowered"),
        pytest.param({"local": "a.b_c-d9"}, "a.b_c-d9@temp.example.com", id="every kind of character"),
        pytest.param({"local": "x" * 64}, f"{'x' * 64}@temp.example.com", id="64 characters"),
        pytest.param({"local": "d1", "domainIndex": 1}, "d1@Mail.Example.org", id="domain in its configured case"),
        pytest.param({"local": "d2", "domainIndex": "1"}, "d2@Mail.Example.org", id="an index as text"),
        pytest.param({"local": "d3", "domainIndex": 99}, "d3@Mail.Example.org", id="an index beyond the last"),
        pytest.param({"local": "d4", "domainIndex": -3}, "d4@temp.example.com", id="a negative index"),
        pytest.param({"local": "d5", "domainIndex": 0.5}, "d5@temp.example.com", id="a fraction"),
        pytest.param({"local": "d6", "domainIndex": None}, "d6@temp.example.com", id="null"),
        pytest.param({"local": "d7", "domainIndex": "x"}, "d7@temp.example.com", id="an index that is no number"),
        pytest.param({"local": " d9\n"}, "d9@temp.example.com", id="white space around a name"),
        pytest.param({"local": "d8", "more": [1]}, "d8@temp.example.com", id="unknown keys are ignored"),
    ],
)
def test_a_created_address_is_the_name_at_the_domain_of_the_index(
    shared: Server, body: dict[str, object], email: str
) -> None:
    made = shared.root().post("/api/create", json=body)
    assert made.status_code == 200
    assert made.json() == {"email": email, "expires": (NOON + 3600) * 1000}
    # Random names of other cases may end alike, so the search may find more.
    listed = shared.root().get("/api/mailboxes", params={"q": email}).json()["list"]
    assert [item["address"] for item in listed].count(email.lower()) == 1


@pytest.mark.parametrize("local", ["", " ", "x" * 65, "a b", "a@b", "名字", "a+b", "a/b", "ａ", "a\u0000", "<script>"])
def test_a_name_of_other_characters_or_lengths_is_refused(shared: Server, local: str) -> None:
    answer = shared.root().post("/api/create", json={"local": local})
    assert (answer.status_code, answer.json()) == (400, {"error": "非法用户名"})


def test_the_highest_administrator_may_create_what_exists(server: Server) -> None:
    server.deliver(BOX)
    admin = server.client(server.actor(Role.STRICT_ADMIN))
    assert admin.post("/api/create", json={"local": "box"}).json()["email"] == BOX
    assert admin.get("/api/mailboxes").json()["total"] == 1


def test_a_created_mailbox_belongs_to_its_creator(server: Server) -> None:
    user = server.client(server.actor(Role.USER))
    email = user.get("/api/generate").json()["email"]
    assert [item["address"] for item in user.get("/api/mailboxes").json()["list"]] == [email]
    assert user.get("/api/emails", params={"mailbox": email}).json() == []


def test_of_two_users_who_create_one_address_at_once_one_gets_it(server: Server) -> None:
    tokens = [server.token(server.actor(Role.USER)) for _ in range(6)]

    async def race() -> list[int]:
        requests = [
            server.http.post("/api/create", json={"local": "prize"}, headers={"cookie": f"iding-session={token}"})
            for token in tokens
        ]
        return [answer.status_code for answer in await asyncio.gather(*requests)]

    assert sorted(server.run(race())) == [200, 400, 400, 400, 400, 400]
