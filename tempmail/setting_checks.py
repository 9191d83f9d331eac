"""What no setting shows by itself: values that must fit one another, or this machine."""

import pwd
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tempmail.setting_values import Bind, quoted


def faults(parsed: Mapping[str, Any]) -> list[str]:
    """A sentence for each clash among `parsed` (values by variable name).

    A check runs where all of its variables are present, so a variable that could not be parsed is blamed once only.
    """
    found = (check(*(parsed[name] for name in names)) for names, check in _CHECKS if parsed.keys() >= set(names))
    return [fault for fault in found if fault is not None]


def _both_tls_files(cert: Path | None, key: Path | None) -> str | None:
    if (cert is None) == (key is None):
        return None
    missing, present = ("SMTP_TLS_CERT", "SMTP_TLS_KEY") if cert is None else ("SMTP_TLS_KEY", "SMTP_TLS_CERT")
    return f"{missing}: is missing beside {present}; give both or neither."


def _smtps_has_tls(smtps: Bind | None, cert: Path | None, key: Path | None) -> str | None:
    if smtps is None or cert is not None or key is not None:
        return None
    return "SMTPS_BIND: needs a certificate; give SMTP_TLS_CERT and SMTP_TLS_KEY too."


def _cert_exists(cert: Path | None) -> str | None:
    return _is_file("SMTP_TLS_CERT", cert)


def _key_exists(key: Path | None) -> str | None:
    return _is_file("SMTP_TLS_KEY", key)


def _is_file(name: str, path: Path | None) -> str | None:
    if path is None or path.is_file():
        return None
    return f"{name}: {quoted(str(path))} is not a file; name an existing PEM file."


def _both_aws_keys(key_id: str, secret: str) -> str | None:
    if bool(key_id) == bool(secret):
        return None
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    missing, present = names if secret else names[::-1]
    return f"{missing}: is missing beside {present}; give both or neither."


def _spool_holds_one(spool_max_bytes: int, max_message_bytes: int) -> str | None:
    if spool_max_bytes >= max_message_bytes:
        return None
    return "SPOOL_MAX_BYTES: is less than MAX_MESSAGE_BYTES, so the largest mails never fit; raise it."


def _distinct_binds(http: Bind, smtp: Bind, smtps: Bind | None) -> str | None:
    taken: dict[Bind, str] = {}
    for name, bind in (("HTTP_BIND", http), ("SMTP_BIND", smtp), ("SMTPS_BIND", smtps)):
        if bind is None or bind.port == 0:
            continue
        if bind in taken:
            return f"{name}: {quoted(str(bind))} is taken by {taken[bind]}; give another port."
        taken[bind] = name
    return None


def _user_exists(run_as: str) -> str | None:
    if not run_as:
        return None
    try:
        pwd.getpwnam(run_as)
    except KeyError:
        return f"RUN_AS: {quoted(run_as)} is no user of this machine; create the user or name another."
    return None


def _is_folder_or_new(data_dir: Path) -> str | None:
    if data_dir.is_dir() or not data_dir.exists():
        return None
    return f"DATA_DIR: {quoted(str(data_dir))} is not a folder; name a folder, or a place for a new one."


def _whole_mail_push(token: str, sender: str, template: int) -> str | None:
    return _all_or_none({"MAIL_PUSH_TOKEN": token, "MAIL_PUSH_FROM": sender, "MAIL_PUSH_TEMPLATE": template})


def _whole_nobase(appid: str, signature: str, sender: str) -> str | None:
    return _all_or_none({"NOBASE_APPID": appid, "NOBASE_SIGNATURE": signature, "NOBASE_FROM": sender})


def _one_nobase_login(appid: str, token: str, user: str, password: str) -> str | None:
    if bool(user) != bool(password):
        missing, present = ("NOBASE_PASS", "NOBASE_USER") if user else ("NOBASE_USER", "NOBASE_PASS")
        return f"{missing}: is missing beside {present}; give both or neither."
    if token and user:
        return "NOBASE_TOKEN: cannot stand beside NOBASE_USER; give the token or the user with its password."
    if appid and not token and not user:
        return "NOBASE_TOKEN: is missing beside NOBASE_APPID; give it, or NOBASE_USER with NOBASE_PASS."
    return None


def _whole_emailcar(user: str, password: str) -> str | None:
    return _all_or_none({"EMAILCAR_API_USER": user, "EMAILCAR_API_PWD": password})


def _all_or_none(given: Mapping[str, object]) -> str | None:
    missing = [name for name, value in given.items() if not value]
    if not missing or len(missing) == len(given):
        return None
    present = [name for name in given if name not in missing]
    return f"{missing[0]}: is missing beside {' and '.join(present)}; give all of {', '.join(given)}, or none."


_CHECKS: tuple[tuple[tuple[str, ...], Callable[..., str | None]], ...] = (
    (("DATA_DIR",), _is_folder_or_new),
    (("SMTP_TLS_CERT", "SMTP_TLS_KEY"), _both_tls_files),
    (("SMTP_TLS_CERT",), _cert_exists),
    (("SMTP_TLS_KEY",), _key_exists),
    (("SMTPS_BIND", "SMTP_TLS_CERT", "SMTP_TLS_KEY"), _smtps_has_tls),
    (("HTTP_BIND", "SMTP_BIND", "SMTPS_BIND"), _distinct_binds),
    (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), _both_aws_keys),
    (("MAIL_PUSH_TOKEN", "MAIL_PUSH_FROM", "MAIL_PUSH_TEMPLATE"), _whole_mail_push),
    (("NOBASE_APPID", "NOBASE_SIGNATURE", "NOBASE_FROM"), _whole_nobase),
    (("NOBASE_APPID", "NOBASE_TOKEN", "NOBASE_USER", "NOBASE_PASS"), _one_nobase_login),
    (("EMAILCAR_API_USER", "EMAILCAR_API_PWD"), _whole_emailcar),
    (("SPOOL_MAX_BYTES", "MAX_MESSAGE_BYTES"), _spool_holds_one),
    (("RUN_AS",), _user_exists),
)
