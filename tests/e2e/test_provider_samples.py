"""What the providers' documentation prints for their callers, run as it stands against a real server: only the host is
another. The samples are kept verbatim in `tests/data/seeds`."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.require import require
from tests.running import PATIENCE_S, Server, running

SEEDS = Path(__file__).parent.parent / "data" / "seeds"


@dataclass(frozen=True)
class Account:
    """A credential of the sandbox that the samples are written for. `mailbox`: where all mail goes, as their recipients
    are elsewhere."""

    server: Server
    provider: str
    id: int
    mailbox: str

    @property
    def url(self) -> str:
        return f"{self.server.url}/sandbox/{self.provider}"

    def sample(self, file: str, host: str) -> str:
        """A printed sample, with this server in the place of `host`."""
        text = (SEEDS / file).read_text("utf-8")
        assert text.count(host) == 1
        return text.replace(host, self.url)

    def inbox(self) -> list[dict[str, Any]]:
        """Newest first."""
        with self.server.client() as client:
            listed = client.get("/api/emails", params={"mailbox": self.mailbox}).raise_for_status().json()
            return [client.get(f"/api/email/{each['id']}").raise_for_status().json() for each in listed]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("samples"), SMTP_WORKERS=0) as opened:
        yield opened


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as opened:
        yield opened


@pytest.fixture
def mail_push(server: Server, client: httpx.Client) -> Iterator[Account]:
    account = made(server, client, "mail_push", {"token": "MAIL_PUSH_API_SECRET"})
    template = {"subject": "{{name}}: {{order_no}}", "html": "<p>{{name}}</p>", "text": "{{name}}"}
    where = {"credential": account.id}
    client.put("/api/v1/sandboxes/mail_push/templates/1", params=where, json=template).raise_for_status()
    yield account
    removed(client, account)


@pytest.fixture
def nobase(server: Server, client: httpx.Client) -> Iterator[Account]:
    values = {
        "appid": "your_app_id",
        "signature": "signature_from_backend",
        "token": "valid_user_token",
        "user": "13800138000",
        "pass": "UserPass123",
    }
    account = made(server, client, "nobase", values)
    yield account
    removed(client, account)


@pytest.fixture
def emailcar(server: Server, client: httpx.Client) -> Iterator[Account]:
    account = made(server, client, "emailcar", {"api_user": "***", "api_pwd": "***"})
    yield account
    removed(client, account)


def made(server: Server, client: httpx.Client, provider: str, values: Mapping[str, str]) -> Account:
    answer = client.post(f"/api/v1/sandboxes/{provider}/credentials", json={"values": values}).raise_for_status().json()
    return Account(server, provider, answer["id"], answer["mailbox"])


def removed(client: httpx.Client, account: Account) -> None:
    client.delete(f"/api/v1/sandboxes/{account.provider}/credentials/{account.id}").raise_for_status()


def curl(sample: str) -> dict[str, Any]:
    """The answer to a printed command."""
    require("curl", available=shutil.which("curl") is not None, why="there is no curl command")
    done = subprocess.run(["sh", "-c", sample], capture_output=True, timeout=PATIENCE_S, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def node(script: str) -> str:
    """What a printed script says."""
    require("node", available=shutil.which("node") is not None, why="there is no node command")
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], capture_output=True, timeout=PATIENCE_S, check=True
    )
    assert done.stderr == b"", done.stderr.decode()
    return done.stdout.decode().strip()


def test_mail_push_by_curl(mail_push: Account) -> None:
    answer = curl(mail_push.sample("mail_push.sh", "https://mail.push.xiaocx.cc"))

    assert answer["status"] == 1
    assert answer["data"]["task_id"] > 0


def test_mail_push_by_javascript(mail_push: Account) -> None:
    function = mail_push.sample("mail_push.js", "https://mail.push.xiaocx.cc")
    call = """
    console.log(await sendMailPushEmail({
        apiSecret: "MAIL_PUSH_API_SECRET", tempId: 1, toEmail: "user@example.com",
        variables: { name: "张三", order_no: "NO001" },
    }));
    """

    said = node(function + call)

    assert int(said) > 0
    [mail] = mail_push.inbox()
    assert (mail["subject"], mail["content"].strip()) == ("张三: NO001", "张三")
    assert mail["html_content"].strip() == "<p>张三</p>"


def test_mail_push_by_javascript_hears_why_a_mail_was_declined(mail_push: Account) -> None:
    function = mail_push.sample("mail_push.js", "https://mail.push.xiaocx.cc")
    call = """
    await sendMailPushEmail({ apiSecret: "MAIL_PUSH_API_SECRET", tempId: 404, toEmail: "user@example.com" })
        .catch((error) => console.log(error.message));
    """

    assert node(function + call) == "无模板权限或模板不存在"


def test_nobase_by_javascript_with_a_token(nobase: Account) -> None:
    said = node(nobase.sample("nobase_token.js", "https://nobase.cn"))

    assert said == "邮件发送结果: 邮件发送成功"
    [mail] = nobase.inbox()
    assert mail["subject"] == "测试邮件标题"
    assert mail["html_content"].strip() == "<h1>这是测试邮件的HTML内容</h1>"
    assert mail["content"].strip() == "这是测试邮件的HTML内容"


def test_nobase_by_javascript_with_a_password(nobase: Account) -> None:
    said = node(nobase.sample("nobase_password.js", "https://nobase.cn"))

    assert said == "邮件发送结果: 邮件发送成功"
    [mail] = nobase.inbox()
    assert (mail["subject"], mail["content"].strip()) == ("测试邮件标题", "这是测试邮件的纯文本内容")


def test_emailcar_by_curl(emailcar: Account) -> None:
    answer = curl(emailcar.sample("emailcar_send.sh", "http://webapi.emailcar.net"))

    assert (answer["status"], answer["msg"]) == ("success", "邮件发送成功")
    returned = answer["data"]["return"]
    assert returned["ids"] == sorted({returned["id"], *returned["ids"]})
    mails = emailcar.inbox()
    assert {mail["to_addrs"] for mail in mails} == {"test@emailcar.net", "test1@emailcar.net"}
    assert {mail["subject"] for mail in mails} == {"欢迎使用Emailcar"}
    assert {mail["content"].strip() for mail in mails} == {"Emailcar为您服务！"}


def test_emailcars_figures_by_curl(emailcar: Account) -> None:
    stats = curl(emailcar.sample("emailcar_stats.sh", "http://webapi.emailcar.net"))
    lists = curl(emailcar.sample("emailcar_lists.sh", "http://webapi.emailcar.net"))

    assert stats == {
        "data": {"total": {"failure": 0, "request": 0, "success": 0}},
        "msg": "数据成功获取",
        "status": "success",
    }
    assert lists == {"msg": "没有找到数据", "status": "error"}  # of 2012
