"""The SQL catalogue: well-formed, used in full, and each query served by the index that its comment names."""

import ast
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import tempmail.adapters.sql as adapter
from tempmail.adapters.sql import catalog
from tempmail.adapters.sql.migrate import migrate
from tempmail.adapters.sql.sqlite import connect
from tempmail.clock import FakeClock

ROOM = Path(adapter.__file__).parent
QUERY_NAME = re.compile(r"[a-z_]+\.[a-z_]+")
PARAMETER = re.compile(r":([a-z_]+)")

STEP = re.compile(r"(SEARCH|SCAN) (\w+)(?: USING (?:COVERING )?(?:INDEX (\w+)|INTEGER PRIMARY KEY))?")

# The index by which each query with a promise in its comment searches each of its tables.
PLANS: dict[str, dict[str, set[str]]] = {
    "forward_targets.find": {"forward_targets": {"sqlite_autoindex_forward_targets_1"}},
    "forward_targets.forget": {"forward_targets": {"forward_targets_unanswered"}},
    "mail.latest": {"messages": {"messages_by_mailbox"}},
    "mail.get": {"messages": {"rowid"}, "mailboxes": {"rowid"}},
    "mail.delete_from_mailbox": {"messages": {"rowid", "messages_by_mailbox"}},
    "mail.delete_received_before": {"messages": {"rowid", "messages_by_receipt"}},
    "mail.shares_object": {"messages": {"messages_by_object"}},
    "mail.mailboxes": {"mailboxes": {"sqlite_autoindex_mailboxes_1"}},
    "mail.object_keys": {"messages": {"messages_by_object"}, "spool": {"sqlite_autoindex_spool_1"}},
    "mail.knows_object": {
        "messages": {"messages_by_object"},
        "spool": {"sqlite_autoindex_spool_1"},
        "object_deletes": {"sqlite_autoindex_object_deletes_1"},
    },
    "mailboxes.find": {"mailboxes": {"sqlite_autoindex_mailboxes_1"}},
    "mailboxes.resolve": {"mailboxes": {"sqlite_autoindex_mailboxes_1"}},
    "mailboxes.is_linked": {"user_mailboxes": {"sqlite_autoindex_user_mailboxes_1"}},
    "mailbox_lists.count_in_domain": {"mailbox_counts_by_domain": {"sqlite_autoindex_mailbox_counts_by_domain_1"}},
    "mailbox_lists.newest": {"mailboxes": {"rowid"}},
    "mailbox_lists.oldest": {"mailboxes": {"rowid"}},
    "mailbox_lists.newest_in_domain": {"mailboxes": {"mailboxes_by_domain"}},
    "mailbox_lists.oldest_in_domain": {"mailboxes": {"mailboxes_by_domain"}},
    "mailbox_lists.newest_with_flags": {"mailboxes": {"mailboxes_by_flags"}},
    "mailbox_lists.oldest_with_flags": {"mailboxes": {"mailboxes_by_flags"}},
    "mailbox_lists.newest_in_domain_with_flags": {"mailboxes": {"mailboxes_by_domain_and_flags"}},
    "mailbox_lists.oldest_in_domain_with_flags": {"mailboxes": {"mailboxes_by_domain_and_flags"}},
    "mailbox_lists.search": {"mailboxes": {"rowid"}, "user_mailboxes": {"user_mailboxes_by_pin"}},
    "mailbox_lists.search_in_domain": {
        "mailboxes": {"mailboxes_by_domain", "rowid"},
        "user_mailboxes": {"user_mailboxes_by_pin"},
    },
    "mailbox_lists.search_with_flags": {
        "mailboxes": {"mailboxes_by_flags", "rowid"},
        "user_mailboxes": {"user_mailboxes_by_pin"},
    },
    "mailbox_lists.search_in_domain_with_flags": {
        "mailboxes": {"mailboxes_by_domain_and_flags", "rowid"},
        "user_mailboxes": {"user_mailboxes_by_pin"},
    },
    "mailbox_lists.search_index": {"mailboxes": {"rowid"}, "user_mailboxes": {"user_mailboxes_by_pin"}},
    "mailbox_lists.named": {"mailboxes": {"sqlite_autoindex_mailboxes_1"}},
    "mailbox_lists.pinned": {"user_mailboxes": {"user_mailboxes_by_pin"}},
    "mailbox_lists.own": {"user_mailboxes": {"user_mailboxes_by_pin"}},
    "mailbox_lists.own_matches": {"user_mailboxes": {"user_mailboxes_by_pin"}},
    "mailbox_lists.own_page": {"user_mailboxes": {"user_mailboxes_by_pin"}},
    "mailbox_lists.own_count": {"users": {"rowid"}},
    "mailbox_lists.rows": {"mailboxes": {"rowid"}},
    "mailboxes.expired": {"mailboxes": {"mailboxes_by_expiry"}},
    "mailboxes.get": {"mailboxes": {"rowid"}},
    "users.lock": {"users": {"rowid"}},
    "mailboxes.lock_without_login": {"mailboxes": {"sqlite_autoindex_mailboxes_1"}},
    "mailboxes.has_owner": {"user_mailboxes": {"user_mailboxes_by_mailbox"}},
    "mailboxes.toggle_pin": {"user_mailboxes": {"sqlite_autoindex_user_mailboxes_1"}},
    "mailboxes.link_pinned": {"users": {"rowid"}, "mailboxes": {"rowid"}},
    "mailboxes.toggle_favorite": {"mailboxes": {"rowid"}},
    "mailboxes.set_favorite": {"mailboxes": {"rowid"}},
    "mailboxes.set_forward": {"mailboxes": {"rowid"}},
    "spool.due": {"spool": {"spool_by_due"}},
    "spool.claim": {"spool": {"rowid"}},
    "spool.bodies": {"spool_bodies": {"rowid"}},
    "spool.delete": {"spool": {"sqlite_autoindex_spool_1"}, "spool_bodies": {"rowid"}},
    "spool.find": {"spool": {"sqlite_autoindex_spool_1"}, "spool_bodies": {"rowid"}},
    "object_deletes.due": {"object_deletes": {"object_deletes_by_due"}},
    "sessions.forget_expired": {"revoked_sessions": {"revoked_sessions_by_expiry"}},
    "sessions.is_revoked": {"revoked_sessions": {"sqlite_autoindex_revoked_sessions_1"}},
    "sessions.user": {"users": {"rowid"}, "revoked_sessions": {"sqlite_autoindex_revoked_sessions_1"}},
    "sessions.mailbox": {"mailboxes": {"rowid"}, "revoked_sessions": {"sqlite_autoindex_revoked_sessions_1"}},
    "mailbox_logins.find": {"mailboxes": {"sqlite_autoindex_mailboxes_1"}},
    "mailbox_logins.set_password": {"mailboxes": {"rowid"}},
    "mailbox_logins.change_password": {"mailboxes": {"rowid"}},
    "mailbox_logins.upgrade_password": {"mailboxes": {"rowid"}},
    "mailbox_logins.record_login": {"mailboxes": {"rowid"}},
    "mailbox_logins.allow": {"mailboxes": {"rowid"}},
    "mailbox_logins.deny": {"mailboxes": {"rowid"}},
    "rules.version": {"versions": {"sqlite_autoindex_versions_1"}},
    "extractions.stale": {"messages": {"messages_by_extraction"}},
    "extractions.sharing": {"messages": {"messages_by_object"}},
    "extractions.count_stale": {"messages": {"messages_by_extraction"}},
    "extractions.forget": {"messages": {"rowid"}},
    "users.find": {"users": {"sqlite_autoindex_users_1"}},
    "users.get": {"users": {"rowid"}},
    "users.change": {"users": {"rowid"}},
    "users.upgrade_password": {"users": {"rowid"}},
    "users.delete": {
        "users": {"rowid"},
        "user_mailboxes": {"sqlite_autoindex_user_mailboxes_1"},
        "api_tokens": {"api_tokens_by_user"},
    },
    "users.page_newest_first": {"users": {"rowid"}},
    "users.page_oldest_first": {"users": {"rowid"}},
    "users.mailboxes": {"link": {"user_mailboxes_by_pin"}, "mailboxes": {"rowid"}},
    "tokens.count": {"api_tokens": {"api_tokens_by_user"}},
    "tokens.find": {"api_tokens": {"sqlite_autoindex_api_tokens_1"}, "users": {"rowid"}},
    "tokens.page": {"api_tokens": {"rowid"}},
    "tokens.page_of_user": {"api_tokens": {"api_tokens_by_user"}},
    "tokens.revoke": {"api_tokens": {"rowid"}},
    "tokens.record_use": {"api_tokens": {"rowid"}},
    "audit.page": {"audit_log": {"rowid"}},
    "audit.page_of_actor": {"audit_log": {"audit_log_by_actor"}},
    "audit.page_of_action": {"audit_log": {"audit_log_by_action"}},
    "audit.page_of_actor_and_action": {"audit_log": {"audit_log_by_actor_and_action"}},
    "audit.last_before": {"audit_log": {"audit_log_by_time"}},
    "audit.last": {"audit_log": {"rowid"}},
    "audit.delete_up_to": {"audit_log": {"rowid"}},
    "users.unassign": {"user_mailboxes": {"sqlite_autoindex_user_mailboxes_1"}},
    "outbox.waiting_of_user": {"outbox": {"outbox_waiting_by_user"}, "outbox_payloads": {"rowid"}},
    "outbox.of_uuid": {"outbox": {"sqlite_autoindex_outbox_1"}, "sent_emails": {"sent_emails_by_uuid"}},
    "outbox.get": {"outbox": {"rowid"}, "sent_emails": {"sent_emails_by_uuid"}},
    "outbox.payloads": {"outbox_payloads": {"rowid"}},
    "outbox.recipients": {"outbox_recipients": {"sqlite_autoindex_outbox_recipients_1"}},
    "outbox.calls": {"outbox_calls": {"outbox_calls_by_mail"}},
    "outbox.requests": {"outbox_requests": {"sqlite_autoindex_outbox_requests_1"}},
    "outbox.is_due": {"outbox": {"outbox_by_due"}},
    "outbox.due": {"outbox": {"outbox_by_due"}, "outbox_payloads": {"rowid"}},
    "outbox.claim": {"outbox": {"rowid"}},
    "outbox.lose_calls": {"outbox_calls": {"outbox_calls_by_mail"}},
    "outbox.lose_recipients": {"outbox_recipients": {"sqlite_autoindex_outbox_recipients_1"}},
    "outbox.hold": {"outbox": {"rowid"}},
    "outbox.give_recipients": {"outbox_recipients": {"sqlite_autoindex_outbox_recipients_1"}},
    "outbox.drop_replaced": {
        "outbox_calls": {"outbox_calls_by_mail"},
        "outbox_recipients": {"outbox_recipients_by_call"},
    },
    "outbox.repeat_call": {"outbox_calls": {"rowid"}},
    "outbox.repeat_recipients": {"outbox_recipients": {"outbox_recipients_by_call"}},
    "outbox.settle_calls": {"outbox_calls": {"rowid"}},
    "outbox.settle_recipients": {"outbox_recipients": {"outbox_recipients_by_call"}},
    "outbox.name_recipient": {"outbox_recipients": {"sqlite_autoindex_outbox_recipients_1"}},
    "outbox.mails_of_calls": {"outbox_calls": {"rowid"}},
    "outbox.recipient_states": {"outbox_recipients": {"sqlite_autoindex_outbox_recipients_1"}},
    "outbox.restate": {"outbox": {"rowid"}},
    "outbox.put_off": {"outbox": {"rowid"}},
    "outbox.end_calls": {"outbox_calls": {"outbox_calls_by_mail"}},
    "outbox.end_recipients": {"outbox_recipients": {"sqlite_autoindex_outbox_recipients_1"}},
    "outbox.may_change": {"outbox": {"rowid"}, "outbox_recipients": {"sqlite_autoindex_outbox_recipients_1"}},
    "outbox.reschedule": {"outbox": {"rowid"}},
    "outbox.reschedule_recipients": {"outbox_recipients": {"sqlite_autoindex_outbox_recipients_1"}},
    "outbox.retry": {"outbox": {"rowid"}},
    "outbox.retry_recipients": {"outbox_recipients": {"sqlite_autoindex_outbox_recipients_1"}},
    "outbox.forgive": {"outbox_calls": {"outbox_calls_by_mail"}},
    "outbox.resolve_calls": {"outbox_calls": {"outbox_calls_by_mail"}},
    "outbox.resolve_recipients": {"outbox_recipients": {"sqlite_autoindex_outbox_recipients_1"}},
    "outbox.stop": {"outbox": {"rowid"}},
    "outbox.stop_if_done": {"outbox": {"rowid"}, "outbox_recipients": {"sqlite_autoindex_outbox_recipients_1"}},
    "outbox.find_by_uuid": {"outbox": {"sqlite_autoindex_outbox_1"}},
    "outbox.find_by_call": {"outbox_calls": {"outbox_calls_by_provider_id"}},
    "outbox.find_by_recipient": {"outbox_recipients": {"outbox_recipients_by_provider_id"}},
    "outbox.wake": {"outbox": {"outbox_by_due"}},
    "outbox.page": {"outbox": {"rowid"}, "sent_emails": {"sent_emails_by_uuid"}},
    "outbox.page_of_kind": {"outbox": {"outbox_by_kind"}, "sent_emails": {"sent_emails_by_uuid"}},
    "outbox.page_of_state": {"outbox": {"outbox_by_state"}, "sent_emails": {"sent_emails_by_uuid"}},
    "outbox.page_of_user": {"outbox": {"outbox_by_user"}, "sent_emails": {"sent_emails_by_uuid"}},
    "outbox.purge": {
        "outbox": {"rowid", "outbox_by_end"},
        "outbox_recipients": {"sqlite_autoindex_outbox_recipients_1"},
        "outbox_calls": {"outbox_calls_by_mail"},
        "outbox_payloads": {"rowid"},
        "outbox_requests": {"sqlite_autoindex_outbox_requests_1"},
    },
    "outbox.purge_events": {"provider_events": {"rowid", "provider_events_by_receipt"}},
    "outbox.events": {"provider_events": {"provider_events_by_message"}},
    "outbox.recipients_named": {"outbox_recipients": {"outbox_recipients_by_provider_id"}, "outbox_calls": {"rowid"}},
    "outbox.calls_named": {"outbox_calls": {"outbox_calls_by_provider_id"}},
    "outbox.inform_recipient": {"outbox_recipients": {"rowid"}, "outbox_moves": {"sqlite_autoindex_outbox_moves_1"}},
    "outbox.inform_recipients": {
        "outbox_recipients": {"outbox_recipients_by_call"},
        "outbox_moves": {"sqlite_autoindex_outbox_moves_1"},
    },
    "outbox.states_of_call": {"outbox_recipients": {"outbox_recipients_by_call"}},
    "outbox.inform_call": {"outbox_calls": {"rowid"}, "outbox_moves": {"sqlite_autoindex_outbox_moves_1"}},
    "outbox.due_lookups": {"outbox_calls": {"outbox_calls_by_look"}},
    "outbox.lookups_of_mail": {"outbox_calls": {"outbox_calls_by_mail"}},
    "outbox.names_in_call": {"outbox_recipients": {"outbox_recipients_by_call"}},
    "outbox.claim_lookup": {"outbox_calls": {"rowid"}},
    "outbox.looked": {"outbox_calls": {"rowid"}},
    "send_keys.find": {"send_keys": {"sqlite_autoindex_send_keys_1"}},
    "send_keys.forget": {"send_keys": {"sqlite_autoindex_send_keys_1", "send_keys_by_time"}},
    "sent.page": {"sent_emails": {"sent_emails_by_sender"}, "outbox": {"sqlite_autoindex_outbox_1"}},
    "sent.get": {"sent_emails": {"rowid"}, "outbox": {"sqlite_autoindex_outbox_1"}},
    "sent.find": {
        "sent_emails": {"sent_emails_by_uuid", "rowid", "sent_emails_by_provider_id"},
        "outbox": {"sqlite_autoindex_outbox_1"},
    },
    "capsules.find": {"capsules": {"sqlite_autoindex_capsules_1"}},
    "capsules.get": {"capsules": {"rowid"}},
    "capsules.unsent": {"capsules": {"capsules_by_owner"}},
    "capsules.content": {"capsule_contents": {"rowid"}},
    "capsules.attachments": {"capsule_attachments": {"capsule_attachments_by_capsule"}},
    "capsules.files": {
        "capsule_attachments": {"capsule_attachments_by_capsule"},
        "capsule_files": {"rowid"},
    },
    "capsules.file": {
        "capsule_attachments": {"sqlite_autoindex_capsule_attachments_1"},
        "capsule_files": {"rowid"},
    },
    "capsules.detach": {
        "capsule_attachments": {"sqlite_autoindex_capsule_attachments_1"},
        "capsule_files": {"rowid"},
    },
    "capsules.forget_uses": {"capsule_uses": {"sqlite_autoindex_capsule_uses_1"}},
    "capsules.used": {"capsule_uses": {"sqlite_autoindex_capsule_uses_1"}},
    "capsules.key": {"capsule_keys": {"sqlite_autoindex_capsule_keys_1"}},
    "capsules.forget_keys": {"capsule_keys": {"sqlite_autoindex_capsule_keys_1", "capsule_keys_by_creation"}},
    "capsules.own": {"capsules": {"capsules_by_owner"}},
    "capsules.own_total": {"capsules": {"capsules_by_owner"}},
    "capsules.inbox": {
        "capsules": {"capsules_by_recipient", "capsules_by_mailbox", "rowid"},
        "link": {"sqlite_autoindex_user_mailboxes_1"},
    },
    "capsules.inbox_total": {
        "capsules": {"capsules_by_recipient", "capsules_by_mailbox"},
        "link": {"sqlite_autoindex_user_mailboxes_1"},
    },
    "capsules.due": {"capsules": {"capsules_by_due"}},
    "capsules.freeze": {"capsules": {"rowid"}},
    "capsules.hand_over": {"capsules": {"rowid"}},
    "capsules.deliver": {"capsules": {"rowid"}},
    "capsules.forget_delivered": {
        "capsules": {"rowid", "capsules_by_delivery"},
        "capsule_contents": {"rowid"},
        "capsule_attachments": {"capsule_attachments_by_capsule"},
    },
    "capsules.put_into": {"capsules": {"rowid"}},
    "capsules.fail": {"capsules": {"rowid"}},
    "capsules.put_off": {"capsules": {"rowid"}},
    "capsules.settled": {"capsules": {"capsules_by_outbox"}, "outbox": {"sqlite_autoindex_outbox_1"}},
    "capsules.sent": {"capsules": {"rowid"}},
    "sandbox.find_credential": {"sandbox_credentials": {"sqlite_autoindex_sandbox_credentials_1"}},
    "sandbox.get_credential": {"sandbox_credentials": {"rowid"}},
    "sandbox.credentials": {"sandbox_credentials": {"rowid"}},
    "sandbox.credentials_of": {"sandbox_credentials": {"sandbox_credentials_by_provider"}},
    "sandbox.change_credential": {"sandbox_credentials": {"rowid"}},
    "sandbox.remove_credential": {
        "sandbox_credentials": {"rowid"},
        "sandbox_mails": {"sandbox_mails_by_credential"},
        "sandbox_answers": {"sqlite_autoindex_sandbox_answers_1"},
        "sandbox_usage": {"sqlite_autoindex_sandbox_usage_1"},
        "sandbox_reports": {"sandbox_reports_by_credential"},
        "sandbox_templates": {"sqlite_autoindex_sandbox_templates_1"},
        "sandbox_log": {"sandbox_log_by_credential"},
    },
    "sandbox.usage": {
        "sandbox_credentials": {"rowid"},
        "sandbox_usage": {"sqlite_autoindex_sandbox_usage_1"},
    },
    "sandbox.used": {"sandbox_usage": {"sqlite_autoindex_sandbox_usage_1"}},
    "sandbox.clear_mails": {
        "sandbox_mails": {"rowid", "sandbox_mails_by_credential"},
        "sandbox_bodies": {"rowid"},
    },
    "sandbox.clear_answers": {"sandbox_answers": {"sqlite_autoindex_sandbox_answers_1"}},
    "sandbox.clear_reports": {"sandbox_reports": {"rowid", "sandbox_reports_by_credential"}},
    "sandbox.add_up_use": {"sandbox_usage": {"sandbox_usage_by_day"}},
    "sandbox.forget_use": {"sandbox_usage": {"sandbox_usage_by_day"}},
    "sandbox.find_answer": {"sandbox_answers": {"sqlite_autoindex_sandbox_answers_1"}},
    "sandbox.release": {"sandbox_mails": {"rowid"}},
    "sandbox.set_message_ids": {"sandbox_mails": {"rowid"}},
    "sandbox.drop_raw": {"sandbox_bodies": {"rowid"}},
    "sandbox.mail": {"sandbox_mails": {"sqlite_autoindex_sandbox_mails_1"}},
    "sandbox.mails_below": {"sandbox_mails": {"sandbox_mails_by_credential"}},
    "sandbox.mails_above": {"sandbox_mails": {"sandbox_mails_by_credential"}},
    "sandbox.request_of": {"sandbox_bodies": {"rowid"}},
    "sandbox.raw_of": {"sandbox_bodies": {"rowid"}},
    "sandbox.reschedule": {"sandbox_mails": {"rowid"}},
    "sandbox.cancel": {"sandbox_mails": {"rowid"}},
    "sandbox.waiting": {"sandbox_mails": {"sandbox_mails_waiting"}},
    "sandbox.due": {"sandbox_mails": {"sandbox_mails_by_schedule"}},
    "sandbox.due_reports": {"sandbox_reports": {"sandbox_reports_by_due"}},
    "sandbox.claim_report": {"sandbox_reports": {"rowid"}},
    "sandbox.finish_report": {"sandbox_reports": {"rowid"}},
    "sandbox.retry_report": {"sandbox_reports": {"rowid"}},
    "sandbox.forget_mails": {
        "sandbox_mails": {"rowid", "sandbox_mails_by_creation"},
        "sandbox_bodies": {"rowid"},
    },
    "sandbox.forget_reports": {"sandbox_reports": {"rowid"}},
    "sandbox.newest_to_forget": {"sandbox_mails": {"rowid"}},
    "sandbox.forget_beyond": {"sandbox_mails": {"rowid"}, "sandbox_bodies": {"rowid"}},
    "sandbox.forget_answers": {
        "sandbox_answers": {"sandbox_answers_by_creation", "sqlite_autoindex_sandbox_answers_1"}
    },
    "sandbox_records.templates": {"sandbox_templates": {"sqlite_autoindex_sandbox_templates_1"}},
    "sandbox_records.template": {"sandbox_templates": {"sqlite_autoindex_sandbox_templates_1"}},
    "sandbox_records.place": {
        "sandbox_credentials": {"rowid"},
        "sandbox_templates": {"sqlite_autoindex_sandbox_templates_1"},
    },
    "sandbox_records.cut_log": {"sandbox_log": {"rowid"}},
    "sandbox_records.entries": {"sandbox_log": {"rowid"}},
    "sandbox_records.by_state": {"sandbox_mails": {"sandbox_mails_by_time"}},
    "sandbox_records.taken_between": {"sandbox_mails": {"sandbox_mails_by_time"}},
}

READS_A_WHOLE_TABLE = {
    "outbox.counts": "a row for each provider and state",
    "outbox.pauses": "at most a row for each account",
    "mailboxes.total": "at most eight counters",
    "mailbox_lists.count": "the same",
    "users.totals": "at most two counters for each role",
    "users.count": "the same",
    "spool.size": "bounded by SPOOL_MAX_BYTES; bodies are apart",
    "spool.file_names": "the same bound",
    "object_deletes.count": "a queue that is worked off at once",
    "rules.all": "bounded by MAX_RULES",
    "rules.count": "the same bound",
    "sandbox.count_credentials": "bounded by MAX_CREDENTIALS",
}

SORTS_ONE_PAGE: dict[str, set[str]] = {
    "mail.object_keys": {"keys"},
    "mailbox_lists.search": {"page"},
    "mailbox_lists.search_in_domain": {"page"},
    "mailbox_lists.search_with_flags": {"page"},
    "mailbox_lists.search_in_domain_with_flags": {"page"},
    # SQLite calls every use of a full-text index a scan.
    "mailbox_lists.search_index": {"page", "mailbox_search"},
    "mailbox_lists.own_matches": {"page"},
    # The given rows.
    "outbox.hold": {"held"},
    "outbox.give_recipients": {"given"},
    "outbox.settle_calls": {"settled"},
    "outbox.settle_recipients": {"settled"},
    "outbox.restate": {"restated"},
    # What one owner has, or was sent: a handful.
    "capsules.own": set(),
    "capsules.inbox": set(),
    "capsules.inbox_total": {"found"},
    # The days that went by since the last time, each with a row for a credential at most.
    "sandbox.add_up_use": set(),
}
"""Queries that scan and sort a subquery, which is limited."""


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("catalog") / "tempmail.db"
    migrate(path, FakeClock())
    with closing(connect(path)) as connection:
        yield connection


@dataclass
class Plan:
    """`searched`: table → the indexes it is searched by ("rowid" for the primary key). `scanned`: tables (and
    subqueries) that are read in full."""

    searched: dict[str, set[str]] = field(default_factory=dict)
    scanned: set[str] = field(default_factory=set)
    sorts: bool = False


def plan(sql: sqlite3.Connection, name: str) -> Plan:
    text = catalog.load()[name]
    params: dict[str, object] = dict.fromkeys(PARAMETER.findall(text), 1)
    found = Plan()
    for step in sql.execute(f"explain query plan {text}", params):
        found.sorts |= "TEMP B-TREE" in step["detail"]
        match = STEP.match(step["detail"].replace("CONSTANT ROW", ""))
        if match and match[1] == "SEARCH":
            found.searched.setdefault(match[2], set()).add(match[3] or "rowid")
        elif match:
            found.scanned.add(match[2])
    return found


def used_names() -> set[str]:
    """Every text in the adapter's code that names a query."""
    files = {path.stem for path in (ROOM / "queries").glob("*.sql")} | {"object_deletes"}
    return {
        node.value
        for path in ROOM.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and QUERY_NAME.fullmatch(node.value)
        and node.value.partition(".")[0] in files
    }


def test_every_query_is_used_and_every_used_name_exists() -> None:
    assert used_names() == set(catalog.load())


@pytest.mark.parametrize("name", catalog.load())
def test_a_query_compiles_and_is_portable_text(sql: sqlite3.Connection, name: str) -> None:
    text = catalog.load()[name]
    plan(sql, name)
    assert not re.search(r"\?|@[a-z]|\$[a-z]|insert or |autoincrement|datetime\(|strftime", text)
    assert text == re.sub(r"\b[A-Z]{2,}\b", lambda word: word[0].lower(), text), "keywords are in lower case"


@pytest.mark.parametrize("name", PLANS)
def test_a_query_is_served_by_the_index_that_its_comment_names(sql: sqlite3.Connection, name: str) -> None:
    assert plan(sql, name).searched == PLANS[name]


def test_every_query_whose_comment_names_an_index_has_its_plan_tested() -> None:
    promising = set()
    for path in (ROOM / "queries").glob("*.sql"):
        for block in path.read_text("utf-8").split("-- name: ")[1:]:
            if "Serves:" in block:
                promising.add(block.split("\n", 1)[0].strip())
    assert promising <= set(PLANS)


@pytest.mark.parametrize("name", sorted(set(catalog.load()) - set(READS_A_WHOLE_TABLE)))
def test_a_query_reads_no_table_in_full_and_does_not_sort(sql: sqlite3.Connection, name: str) -> None:
    assert plan(sql, name).scanned == SORTS_ONE_PAGE.get(name, set())
    assert not plan(sql, name).sorts or name in SORTS_ONE_PAGE


@pytest.mark.parametrize("name", READS_A_WHOLE_TABLE)
def test_a_query_excused_for_reading_a_table_in_full_does_so(sql: sqlite3.Connection, name: str) -> None:
    assert plan(sql, name).scanned


def test_a_part_stands_in_each_query_that_asks_for_it() -> None:
    text = (
        "-- part: own\n-- Why.\nuser_id = :user_id\n\n-- name: a.x\nselect 1\nwhere {own};\n-- name: a.y\nselect {own}"
    )
    assert catalog.queries_in("a.sql", text) == [
        ("a.x", "select 1\nwhere user_id = :user_id"),
        ("a.y", "select user_id = :user_id"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("select 1;", "before the first", id="without a name"),
        pytest.param("-- name: a.x\n-- What it returns.", r"a\.x is empty", id="without a statement"),
        pytest.param("-- name: a.x\nselect {own};", "own", id="a part that is missing"),
        pytest.param("-- part: own\nselect 1\n-- name: a.x\nselect 2;", "own", id="a part that is unused"),
    ],
)
def test_a_malformed_file_is_refused_with_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        catalog.queries_in("a.sql", text)


def test_a_query_over_many_rows_repeats_its_group_and_binds_in_the_order_of_the_text() -> None:
    text = "update t set a = :new where id in (values (:id, :part)) and a <= :old"
    statement = catalog.repeated(text, 2)
    assert statement.text == "update t set a = ? where id in (values (?, ?), (?, ?)) and a <= ?"
    rows = [{"id": 1, "part": "x"}, {"part": "y", "id": 2}]
    assert statement.bind(rows, {"old": 8, "new": 9}) == [9, 1, "x", 2, "y", 8]


@pytest.mark.parametrize("text", ["select :a", "insert into t values (:a); insert into t values (:b)"])
def test_a_query_without_one_group_cannot_serve_many_rows(text: str) -> None:
    with pytest.raises(ValueError, match="one group"):
        catalog.repeated(text, 2)
