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
    is_favorite integer default 0
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
    created_at text default current_timestamp
);

CREATE TABLE user_mailboxes (
    id integer primary key autoincrement,
    user_id integer not null references users (id) on delete cascade,
    mailbox_id integer not null references mailboxes (id) on delete cascade,
    created_at text default current_timestamp,
    is_pinned integer not null default 0,
    unique (user_id, mailbox_id)
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
);

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

CREATE INDEX mailboxes_by_creation on mailboxes (created_at desc, id desc);

CREATE INDEX mailboxes_by_domain on mailboxes (domain);

CREATE INDEX mailboxes_by_expiry on mailboxes (expires_at);

CREATE INDEX messages_by_mailbox on messages (mailbox_id, id);

CREATE INDEX messages_by_receipt on messages (received_at, id);

CREATE INDEX messages_by_object on messages (r2_object_key);

CREATE INDEX messages_by_extraction on messages (extraction_version, id);

CREATE INDEX user_mailboxes_by_mailbox on user_mailboxes (mailbox_id);

CREATE INDEX user_mailboxes_by_pin on user_mailboxes (user_id, is_pinned desc);

CREATE INDEX sent_emails_by_provider_id on sent_emails (resend_id);

CREATE INDEX sent_emails_by_status on sent_emails (status, created_at desc);

CREATE INDEX sent_emails_by_sender on sent_emails (from_addr, created_at desc);

CREATE INDEX spool_by_due on spool (due, id);

CREATE INDEX object_deletes_by_due on object_deletes (due);

CREATE INDEX jobs_by_due on jobs (due, id);

CREATE INDEX revoked_sessions_by_expiry on revoked_sessions (expires_at);
