-- The original's tables and columns keep their names, types and defaults, so that a dump imports by name.

create table mailboxes (
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

create index mailboxes_by_creation on mailboxes (created_at desc, id desc);
create index mailboxes_by_domain on mailboxes (domain);
create index mailboxes_by_expiry on mailboxes (expires_at);

create table messages (
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

create index messages_by_mailbox on messages (mailbox_id, id);
create index messages_by_receipt on messages (received_at, id);
create index messages_by_object on messages (r2_object_key);
create index messages_by_extraction on messages (extraction_version, id);

create table users (
    id integer primary key autoincrement,
    username text not null unique,
    password_hash text,
    role text not null default 'user',
    can_send integer not null default 0,
    mailbox_limit integer not null default 10,
    created_at text default current_timestamp
);

create table user_mailboxes (
    id integer primary key autoincrement,
    user_id integer not null references users (id) on delete cascade,
    mailbox_id integer not null references mailboxes (id) on delete cascade,
    created_at text default current_timestamp,
    is_pinned integer not null default 0,
    unique (user_id, mailbox_id)
);

create index user_mailboxes_by_mailbox on user_mailboxes (mailbox_id);
create index user_mailboxes_by_pin on user_mailboxes (user_id, is_pinned desc);

create table sent_emails (
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

create index sent_emails_by_provider_id on sent_emails (resend_id);
create index sent_emails_by_status on sent_emails (status, created_at desc);
create index sent_emails_by_sender on sent_emails (from_addr, created_at desc);

-- Bodies that are committed but not yet in the object store. `due`: when the entry may be claimed (next); a claim
-- moves it to the end of its lease. A body is in spool_bodies or, where large, in the spool file `file_name`.
create table spool (
    id integer primary key autoincrement,
    object_key text not null unique,
    size_bytes integer not null,
    file_name text,
    due text not null,
    attempts integer not null default 0,
    last_error text
);

create index spool_by_due on spool (due, id);

-- Apart from spool, so that a claim does not rewrite the body.
create table spool_bodies (
    spool_id integer primary key references spool (id) on delete cascade,
    body blob not null
);

-- Objects whose last message is gone, until they are removed from the object store.
create table object_deletes (
    object_key text primary key,
    due text not null,
    attempts integer not null default 0,
    last_error text
);

create index object_deletes_by_due on object_deletes (due);

-- Work that is due at a time, claimed by lease: `due` moves to the end of the lease, then to the next run.
create table jobs (
    id integer primary key autoincrement,
    kind text not null,
    name text not null,
    due text not null,
    attempts integer not null default 0,
    last_error text,
    finished_at text,
    unique (kind, name)
);

create index jobs_by_due on jobs (due, id);

-- Sessions that were ended early, until their tokens expire anyway.
create table revoked_sessions (
    jti text primary key,
    expires_at text not null
);

create index revoked_sessions_by_expiry on revoked_sessions (expires_at);

-- What an admin adds to the built-in extraction. `version` grows with each change of a rule.
create table extraction_rules (
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

-- Numbers that grow with each change of what they name, so that others see a change without reading it all.
create table versions (
    name text primary key,
    version integer not null
);
