"""What the services say, in English, for the terminal: they speak to HTTP clients in the original's words."""

import re

# In this order: what is part of another text comes after it.
_IN_ENGLISH = tuple(
    (re.compile(original), english)
    for original, english in (
        ("取消分配失败: ", "not unassigned: "),
        ("分配失败: ", "not assigned: "),
        ("创建失败: ", "not created: "),
        ("更新失败: ", "not changed: "),
        ("删除失败: ", "not deleted: "),
        ("创建失败", "no free name was found"),
        ("用户名不能为空", "the name is empty"),
        ("用户名已存在", "that name is taken"),
        (r"用户名最多 (\d+) 个字符", r"a name has at most \1 characters"),
        ("用户名不能包含 @", "a name has no @ in it"),
        ("用户名不能包含控制字符", "a name has no control characters in it"),
        (r"用户名 (\S+) 为系统保留", r"the name \1 is reserved"),
        (r"mailboxLimit 必须是 0 到 (\d+) 的整数", r"the limit is a whole number from 0 to \1"),
        (r"用户数量已达到上限 (\d+)", r"there are \1 users already, which is the most"),
        ("该账户由 ADMIN_NAME/ADMIN_PASSWORD 配置", "this account is configured by ADMIN_NAME and ADMIN_PASSWORD"),
        ("，不能删除", " and cannot be deleted"),
        ("，不能在此修改用户名、角色或密码", ": its name, role and password cannot be changed here"),
        (r"密码最多 (\d+) 个字符", r"a password has at most \1 characters"),
        (r"密码长度至少(\d+)位", r"a password needs at least \1 characters"),
        (r"密码长度最多(\d+)位", r"a password has at most \1 characters"),
        ("用户不存在|未找到用户", "there is no such user"),
        ("邮箱不存在", "there is no such mailbox"),
        ("该邮箱未分配给该用户", "that mailbox is not assigned to that user"),
        ("已达到邮箱上限", "the user has as many mailboxes as it may have"),
        ("该邮箱地址已被使用", "that address is taken"),
        ("无效的邮箱地址", "that is not an address"),
        ("非法用户名", "the part before the @ may have letters, digits, dots, dashes and underscores, 1 to 64 of them"),
        (r"(\S+) 渠道暂不支持此操作", r"\1 cannot do this"),
        ("没有可用的域名：MAIL_DOMAIN 只有通配域名", "MAIL_DOMAIN has no domain to make addresses in, only wildcards"),
    )
)


def in_english(text: str) -> str:
    """The text with every known part of it in English."""
    for original, english in _IN_ENGLISH:
        text = original.sub(english, text)
    return text
