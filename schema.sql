-- The whole SQLite schema in one place, for reading and comparing. tempmail makes and upgrades its database itself.
--
-- Generated from tempmail/adapters/sql/migrations by `python -m tests.schema_sql`; a test proves that they agree.

CREATE TABLE schema_migrations (
    version integer primary key,
    name text not null,
    applied_at text not null
);

CREATE TABLE mailboxes (
    id integer primary key autoincrement,
    address text not null unique,
    local_part text not null,
    domain text not null,
    password_hash text,
    can_login integer default 0,
    created_at text default current_timestamp,
    last_accessed_at text,
    expires_at text,
    is_pinned integer default 0,
    forward_to text,
    is_favorite integer default 0,
    session_epoch integer not null default 0,
    flags integer generated always as (
        case when coalesce(can_login, 0) <> 0 then 4 else 0 end
        + case when coalesce(is_favorite, 0) <> 0 then 2 else 0 end
        + case when coalesce(forward_to, '') <> '' then 1 else 0 end
    ) stored
);

CREATE VIRTUAL TABLE mailbox_search using fts5 (
    address, content = 'mailboxes', content_rowid = 'id', tokenize = 'trigram case_sensitive 1', detail = none
);

CREATE TABLE mailbox_counts (
    flags integer primary key,
    mailboxes integer not null
);

CREATE TABLE mailbox_counts_by_domain (
    domain text not null,
    flags integer not null,
    mailboxes integer not null,
    primary key (domain, flags)
);

CREATE TABLE messages (
    id integer primary key autoincrement,
    mailbox_id integer not null references mailboxes (id),
    sender text not null,
    to_addrs text not null default '',
    subject text not null,
    verification_code text,
    preview text,
    r2_bucket text not null default 'mail-eml',
    r2_object_key text not null default '',
    received_at text default current_timestamp,
    is_read integer default 0,
    envelope_from text not null default '',
    size_bytes integer not null default 0,
    attachment_count integer not null default 0,
    extraction text,
    extraction_version integer not null default 0
);

CREATE TABLE users (
    id integer primary key autoincrement,
    username text not null unique,
    password_hash text,
    role text not null default 'user',
    can_send integer not null default 0,
    mailbox_limit integer not null default 10,
    created_at text default current_timestamp,
    session_epoch integer not null default 0,
    mailbox_count integer not null default 0
);

CREATE TABLE user_mailboxes (
    id integer primary key autoincrement,
    user_id integer not null references users (id) on delete cascade,
    mailbox_id integer not null references mailboxes (id) on delete cascade,
    created_at text default current_timestamp,
    is_pinned integer not null default 0,
    mailbox_flags integer not null default 0,
    mailbox_domain text not null default '',
    mailbox_address text not null default '',
    unique (user_id, mailbox_id)
);

CREATE TABLE user_counts (
    role text not null,
    can_send integer not null,
    users integer not null,
    primary key (role, can_send)
);

CREATE TABLE sent_emails (
    id integer primary key autoincrement,
    resend_id text,
    from_name text,
    from_addr text not null,
    to_addrs text not null,
    subject text not null,
    html_content text,
    text_content text,
    status text default 'queued',
    scheduled_at text,
    created_at text default current_timestamp,
    updated_at text default current_timestamp,
    provider text not null default 'resend'
, uuid text);

CREATE TABLE spool (
    id integer primary key autoincrement,
    object_key text not null unique,
    size_bytes integer not null,
    file_name text,
    due text not null,
    attempts integer not null default 0,
    last_error text
);

CREATE TABLE spool_bodies (
    spool_id integer primary key references spool (id) on delete cascade,
    body blob not null
);

CREATE TABLE object_deletes (
    object_key text primary key,
    due text not null,
    attempts integer not null default 0,
    last_error text
);

CREATE TABLE jobs (
    id integer primary key autoincrement,
    kind text not null,
    name text not null,
    due text not null,
    attempts integer not null default 0,
    last_error text,
    finished_at text,
    unique (kind, name)
);

CREATE TABLE revoked_sessions (
    jti text primary key,
    expires_at text not null
);

CREATE TABLE extraction_rules (
    id integer primary key autoincrement,
    name text not null,
    kind text not null,
    pattern text not null,
    sender text not null,
    recipient_domain text,
    field text not null,
    priority integer not null,
    enabled integer not null,
    version integer not null,
    created_at text not null,
    updated_at text not null
);

CREATE TABLE versions (
    name text primary key,
    version integer not null
);

CREATE TABLE api_tokens (
    id integer primary key autoincrement,
    user_id integer not null references users (id) on delete cascade,
    name text not null,
    secret_hash text not null unique,
    actions text not null,
    mailboxes text not null,
    created_at text not null,
    expires_at text,
    last_used_at text,
    for_admin integer not null default 0
);

CREATE TABLE audit_log (
    id integer primary key autoincrement,
    at text not null,
    actor text not null,
    role text not null,
    action text not null,
    target text not null,
    address text not null,
    status integer not null,
    request_id text not null
);

CREATE TABLE outbox (
    id integer primary key autoincrement,
    uuid text not null unique,
    kind text not null,
    state text not null,
    user_id integer,
    from_addr text not null,
    subject text not null,
    provider text,
    scheduled_at text,
    -- When it is looked at next: its time, its next try, or the end of the lease of whoever claimed it.
    due text not null,
    deadline text not null,
    attempts integer not null default 0,
    at_least_once integer not null default 0,
    error text,
    object_key text not null default '',
    created_at text not null,
    updated_at text not null
);

CREATE TABLE outbox_payloads (
    outbox_id integer primary key references outbox (id) on delete cascade,
    payload blob not null
);

CREATE TABLE outbox_calls (
    id integer primary key autoincrement,
    outbox_id integer not null references outbox (id) on delete cascade,
    provider text not null,
    account text not null,
    idempotency_key text not null unique,
    state text not null,
    attempts integer not null default 0,
    provider_message_id text,
    error text,
    began_at text,
    updated_at text not null,
    request_target text not null,
    request_type text not null,
    request_body blob not null
);

CREATE TABLE outbox_recipients (
    id integer primary key autoincrement,
    outbox_id integer not null references outbox (id) on delete cascade,
    call_id integer references outbox_calls (id) on delete set null,
    kind text not null,
    address text not null,
    state text not null,
    provider_message_id text,
    error text,
    unique (outbox_id, address)
);

CREATE TABLE outbox_moves (
    from_state text not null,
    to_state text not null,
    primary key (from_state, to_state)
);

CREATE TABLE provider_events (
    id integer primary key autoincrement,
    provider text not null,
    event_id text not null,
    provider_message_id text not null,
    event text not null,
    state text,
    reason text not null default '',
    occurred_at text not null,
    received_at text not null,
    unique (provider, event_id)
);

CREATE TABLE provider_pauses (
    provider text not null,
    account text not null,
    until text not null,
    reason text not null,
    primary key (provider, account)
);

CREATE INDEX mailboxes_by_domain on mailboxes (domain, id);

CREATE INDEX mailboxes_by_flags on mailboxes (flags, id);

CREATE INDEX mailboxes_by_domain_and_flags on mailboxes (domain, flags, id);

CREATE INDEX mailboxes_by_expiry on mailboxes (expires_at);

CREATE INDEX messages_by_mailbox on messages (mailbox_id, id);

CREATE INDEX messages_by_receipt on messages (received_at, id);

CREATE INDEX messages_by_object on messages (r2_object_key);

CREATE INDEX messages_by_extraction on messages (extraction_version, id);

CREATE INDEX user_mailboxes_by_mailbox on user_mailboxes (mailbox_id);

CREATE INDEX user_mailboxes_by_pin on user_mailboxes (
    user_id, is_pinned desc, mailbox_id desc, mailbox_flags, mailbox_domain, mailbox_address
);

CREATE INDEX sent_emails_by_provider_id on sent_emails (resend_id);

CREATE INDEX sent_emails_by_status on sent_emails (status, created_at desc);

CREATE INDEX sent_emails_by_sender on sent_emails (from_addr, created_at desc);

CREATE INDEX spool_by_due on spool (due, id);

CREATE INDEX object_deletes_by_due on object_deletes (due);

CREATE INDEX jobs_by_due on jobs (due, id);

CREATE INDEX revoked_sessions_by_expiry on revoked_sessions (expires_at);

CREATE INDEX api_tokens_by_user on api_tokens (user_id, id);

CREATE INDEX audit_log_by_time on audit_log (at, id);

CREATE INDEX audit_log_by_actor on audit_log (actor, id);

CREATE INDEX audit_log_by_action on audit_log (action, id);

CREATE INDEX audit_log_by_actor_and_action on audit_log (actor, action, id);

CREATE INDEX outbox_by_due on outbox (due, id) where state in ('queued', 'scheduled', 'sending');

CREATE INDEX outbox_by_state on outbox (state, id);

CREATE INDEX outbox_by_user on outbox (user_id, id);

CREATE INDEX outbox_by_update on outbox (updated_at, id);

CREATE INDEX outbox_calls_by_mail on outbox_calls (outbox_id, id);

CREATE INDEX outbox_calls_by_provider_id on outbox_calls (provider_message_id);

CREATE INDEX outbox_recipients_by_call on outbox_recipients (call_id);

CREATE INDEX outbox_recipients_by_provider_id on outbox_recipients (provider_message_id);

CREATE INDEX provider_events_by_message on provider_events (provider_message_id, id);

CREATE INDEX provider_events_by_receipt on provider_events (received_at, id);

CREATE INDEX sent_emails_by_uuid on sent_emails (uuid);

CREATE TRIGGER mailboxes_added after insert on mailboxes begin
    insert into mailbox_search (rowid, address) values (new.id, new.address);
    insert into mailbox_counts (flags, mailboxes) values (new.flags, 1)
        on conflict (flags) do update set mailboxes = mailboxes + 1;
    insert into mailbox_counts_by_domain (domain, flags, mailboxes) values (new.domain, new.flags, 1)
        on conflict (domain, flags) do update set mailboxes = mailboxes + 1;
end;

CREATE TRIGGER mailboxes_removed after delete on mailboxes begin
    insert into mailbox_search (mailbox_search, rowid, address) values ('delete', old.id, old.address);
    update mailbox_counts set mailboxes = mailboxes - 1 where flags = old.flags;
    update mailbox_counts_by_domain set mailboxes = mailboxes - 1 where domain = old.domain and flags = old.flags;
    delete from mailbox_counts_by_domain where domain = old.domain and flags = old.flags and mailboxes = 0;
end;

CREATE TRIGGER mailboxes_renamed after update of id, address on mailboxes begin
    insert into mailbox_search (mailbox_search, rowid, address) values ('delete', old.id, old.address);
    insert into mailbox_search (rowid, address) values (new.id, new.address);
    update user_mailboxes set mailbox_address = new.address where mailbox_id = new.id;
end;

CREATE TRIGGER mailboxes_changed after update of domain, can_login, is_favorite, forward_to on mailboxes
when old.flags <> new.flags or old.domain <> new.domain begin
    update user_mailboxes set mailbox_flags = new.flags, mailbox_domain = new.domain where mailbox_id = new.id;
    update mailbox_counts set mailboxes = mailboxes - 1 where flags = old.flags;
    insert into mailbox_counts (flags, mailboxes) values (new.flags, 1)
        on conflict (flags) do update set mailboxes = mailboxes + 1;
    update mailbox_counts_by_domain set mailboxes = mailboxes - 1 where domain = old.domain and flags = old.flags;
    delete from mailbox_counts_by_domain where domain = old.domain and flags = old.flags and mailboxes = 0;
    insert into mailbox_counts_by_domain (domain, flags, mailboxes) values (new.domain, new.flags, 1)
        on conflict (domain, flags) do update set mailboxes = mailboxes + 1;
end;

CREATE TRIGGER user_mailboxes_added after insert on user_mailboxes begin
    update users set mailbox_count = mailbox_count + 1 where id = new.user_id;
    update user_mailboxes
    set (mailbox_flags, mailbox_domain, mailbox_address)
        = (select flags, domain, address from mailboxes where mailboxes.id = new.mailbox_id)
    where id = new.id;
end;

CREATE TRIGGER user_mailboxes_removed after delete on user_mailboxes begin
    update users set mailbox_count = mailbox_count - 1 where id = old.user_id;
end;

CREATE TRIGGER user_mailboxes_moved after update of user_id, mailbox_id on user_mailboxes begin
    update users set mailbox_count = mailbox_count - 1 where id = old.user_id;
    update users set mailbox_count = mailbox_count + 1 where id = new.user_id;
    update user_mailboxes
    set (mailbox_flags, mailbox_domain, mailbox_address)
        = (select flags, domain, address from mailboxes where mailboxes.id = new.mailbox_id)
    where id = new.id;
end;

CREATE TRIGGER users_added after insert on users begin
    insert into user_counts (role, can_send, users) values (new.role, new.can_send <> 0, 1)
        on conflict (role, can_send) do update set users = users + 1;
end;

CREATE TRIGGER users_removed after delete on users begin
    update user_counts set users = users - 1 where role = old.role and can_send = (old.can_send <> 0);
    delete from user_counts where role = old.role and can_send = (old.can_send <> 0) and users = 0;
end;

CREATE TRIGGER users_changed after update of role, can_send on users
when old.role <> new.role or old.can_send <> new.can_send begin
    update user_counts set users = users - 1 where role = old.role and can_send = (old.can_send <> 0);
    delete from user_counts where role = old.role and can_send = (old.can_send <> 0) and users = 0;
    insert into user_counts (role, can_send, users) values (new.role, new.can_send <> 0, 1)
        on conflict (role, can_send) do update set users = users + 1;
end;

CREATE TRIGGER outbox_moved before update of state on outbox
when new.state <> old.state
    and not exists (select 1 from outbox_moves where from_state = old.state and to_state = new.state)
begin
    select raise(abort, 'this mail cannot move to that state');
end;

CREATE TRIGGER outbox_call_moved before update of state on outbox_calls
when new.state <> old.state
    and not exists (select 1 from outbox_moves where from_state = old.state and to_state = new.state)
begin
    select raise(abort, 'this call cannot move to that state');
end;
