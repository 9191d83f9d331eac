"""The command line speaks English, whatever the services say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tempmail
from tempmail.cli_english import in_english

PACKAGE = Path(tempmail.__file__).parent
SAID_BY = (
    "domain/usernames.py",
    "services/users.py",
    "services/mailboxes.py",
    "services/mailbox_admin.py",
    "adapters/sql/mailboxes.py",
)
# Of batches, pins and tokens, which the command line does not have or answers without these.
NOT_MET = {
    "缺少邮箱 ID 列表",
    "缺少邮箱地址列表",
    "没有有效的邮箱地址",
    "单次最多操作 9 个邮箱",
    "单次最多处理9个邮箱",
    "缺少 addresses 参数或地址列表为空",
    "地址为空",
    "域名 9 不在本服务的收信域名中",
    "未登录",
    "此令牌只能使用以下邮箱：9",
    "、",
}
CHINESE = re.compile("[\u3000-\u9fff\uff00-\uffef]")


def texts(path: Path) -> Iterator[str]:
    """What a module says, its docstrings aside, with 9 for what is filled in."""
    parts: set[ast.AST] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Expr):
            parts.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts.update(node.values)
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "9" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
            yield node.value


SAID = sorted({text for file in SAID_BY for text in texts(PACKAGE / file) if CHINESE.search(text)} - NOT_MET)


@pytest.mark.parametrize("text", SAID)
def test_whatever_a_service_refuses_with_is_told_in_english(text: str) -> None:
    assert not CHINESE.search(in_english(text))


@pytest.mark.parametrize(
    ("original", "english"),
    [
        ("取消分配失败: 邮箱不存在", "not unassigned: there is no such mailbox"),
        ("创建失败: 用户名最多 64 个字符", "not created: a name has at most 64 characters"),
        ("创建失败", "no free name was found"),
        ("密码长度至少6位", "a password needs at least 6 characters"),
        ("密码长度最多1024位", "a password has at most 1024 characters"),
        (
            "a@b.example: 分配失败: 已达到邮箱上限",
            "a@b.example: not assigned: the user has as many mailboxes as it may have",
        ),
    ],
)
def test_a_text_keeps_its_parts_and_numbers(original: str, english: str) -> None:
    assert in_english(original) == english
