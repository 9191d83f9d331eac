"""Templates of the mail_push sandbox and the log of the nobase sandbox, over HTTP."""

from typing import Any

import httpx
import pytest

from tempmail.domain.sandbox_templates import MAX_BODY_BYTES, MAX_TEMPLATES
from tempmail.services.sandbox_templates import TemplateDraft
from tests.contract.web_suite import Client, Server

PATH = "/api/v1/sandboxes/mail_push/templates"
LOG = "/api/v1/sandboxes/nobase/log"
WELCOME = {"name": "welcome", "subject": "Hi {{name}}", "html": "<p>{{{body}}} {{name}}</p>", "text": ""}


@pytest.fixture
def root(server: Server) -> Client:
    return server.root()


@pytest.fixture
def credential(server: Server) -> int:
    return server.sandbox_credential("mail_push")


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def ids(root: Client, **query: Any) -> list[int]:
    return [each["temp_id"] for each in root.get(PATH, params=query).json()["templates"]]


def test_the_free_form_template_is_there_from_the_beginning(root: Client, credential: int) -> None:
    assert root.get(PATH).json() == {
        "templates": [
            {
                "temp_id": 1,
                "name": "free-form",
                "subject": "{{subject}}",
                "html": "{{{html}}}",
                "text": "{{text}}",
                "variables": ["subject", "html", "text"],
                "updated_at": "",
            }
        ]
    }


def test_a_template_is_made_shown_replaced_and_removed(root: Client, credential: int) -> None:
    made = root.post(PATH, json=WELCOME).json()

    assert made == {**WELCOME, "temp_id": 2, "variables": ["name", "body"], "updated_at": "2024-01-01 12:00:00"}
    assert root.get(f"{PATH}/2").json() == made
    assert root.put(f"{PATH}/2", json={"subject": "Bye", "text": "-"}).json()["variables"] == []
    assert root.get(f"{PATH}/2").json()["subject"] == "Bye"
    assert ids(root) == [1, 2]
    assert root.delete(f"{PATH}/2").json() == {"success": True}
    assert refusal(root.get(f"{PATH}/2")) == (404, "no such template")
    assert refusal(root.delete(f"{PATH}/2")) == (404, "no such template")


def test_the_first_template_can_be_replaced_and_comes_back(root: Client, credential: int) -> None:
    root.put(f"{PATH}/1", json={"subject": "Mine", "text": "-"})
    assert root.get(f"{PATH}/1").json()["subject"] == "Mine"
    assert ids(root) == [1]
    root.delete(f"{PATH}/1")
    assert root.get(f"{PATH}/1").json()["subject"] == "{{subject}}"
    assert refusal(root.delete(f"{PATH}/1")) == (404, "no such template")


def test_templates_belong_to_a_credential_which_is_named_where_there_are_several(
    server: Server, root: Client, credential: int
) -> None:
    other = server.sandbox_credential("mail_push")
    root.post(PATH, params={"credential": credential}, json=WELCOME)

    assert (ids(root, credential=credential), ids(root, credential=other)) == ([1, 2], [1])
    assert refusal(root.get(PATH)) == (400, "credential: there are several, so its id is needed")


def test_a_credential_of_another_sandbox_has_no_templates(server: Server, root: Client) -> None:
    resend = server.sandbox_credential("resend")
    for which in (resend, 10**9):
        assert refusal(root.get(PATH, params={"credential": which})) == (404, "no such sandbox credential")
    assert refusal(root.get(PATH)) == (404, "no such sandbox credential")
    assert refusal(root.post(PATH, json=WELCOME)) == (404, "no such sandbox credential")
    assert refusal(root.put(f"{PATH}/2", json=WELCOME)) == (404, "no such sandbox credential")
    assert refusal(root.delete(f"{PATH}/2")) == (404, "no such sandbox credential")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"subject": " "}, "subject: 1 to 998 characters"),
        ({"subject": "x" * 999}, "subject: 1 to 998 characters"),
        ({"html": ""}, "html or text is needed"),
        ({"name": "x" * 101}, "name: at most 100 characters"),
    ],
)
def test_a_template_that_is_none_is_refused(root: Client, credential: int, change: dict[str, str], text: str) -> None:
    assert refusal(root.post(PATH, json=WELCOME | change)) == (400, text)
    assert refusal(root.put(f"{PATH}/2", json=WELCOME | change)) == (400, text)


def test_names_and_subjects_may_be_as_long_as_allowed(root: Client, credential: int) -> None:
    longest = {"subject": "x" * 998, "name": "x" * 100}
    made = root.post(PATH, json=WELCOME | longest).json()
    assert {name: made[name] for name in longest} == longest


@pytest.mark.parametrize("size", [MAX_BODY_BYTES, MAX_BODY_BYTES + 1])
def test_a_body_is_of_one_megabyte_at_most(server: Server, credential: int, size: int) -> None:
    draft = TemplateDraft("Hi", text="x" * size)
    if size > MAX_BODY_BYTES:
        with pytest.raises(Exception, match="text: at most 1048576 bytes"):
            server.run(server.services.sandbox_templates.add(credential, draft))
    else:
        assert server.run(server.services.sandbox_templates.add(credential, draft)).temp_id == 2


def test_a_template_has_an_id_from_one_on(root: Client, credential: int) -> None:
    assert refusal(root.put(f"{PATH}/0", json=WELCOME)) == (400, "temp_id: from 1 to 2147483647")


def test_there_are_a_hundred_templates_at_most(server: Server, root: Client, credential: int) -> None:
    draft = TemplateDraft("Hi", text="-")
    for _ in range(MAX_TEMPLATES):
        server.run(server.services.sandbox_templates.add(credential, draft))
    text = "there are 100 templates already, which is the most: remove one first"
    assert refusal(root.post(PATH, json=WELCOME)) == (400, text)
    assert refusal(root.put(f"{PATH}/1", json=WELCOME)) == (400, text)
    assert root.put(f"{PATH}/2", json=WELCOME).status_code == 200


def test_the_log_is_read_newest_first_and_page_by_page(server: Server, root: Client) -> None:
    for number in range(3):
        server.run(
            server.services.sandbox_log.record(
                None,
                appid="app",
                mail="m@x.example",
                title=str(number),
                code=405 if number else 200,
                detail="words",
                address="192.0.2.7",
                is_stranger=True,
            )
        )

    entries = root.get(LOG).json()["entries"]

    assert entries[0] == {
        "id": 3,
        "credential": None,
        "appid": "app",
        "mail": "m@x.example",
        "title": "2",
        "success": False,
        "code": 405,
        "data": "words",
        "ip": "192.0.2.7",
        "created_at": "2024-01-01 12:00:00",
    }
    assert [entry["success"] for entry in entries] == [False, False, True]
    assert [each["id"] for each in root.get(LOG, params={"before": 3, "limit": 1}).json()["entries"]] == [2]
