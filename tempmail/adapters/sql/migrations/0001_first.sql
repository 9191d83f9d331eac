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
    is_favorite integer default 0,
    session_epoch integer not null default 0,
    flags integer generated always as (
        case when coalesce(can_login, 0) <> 0 then 4 else 0 end
        + case when coalesce(is_favorite, 0) <> 0 then 2 else 0 end
        + case when coalesce(forward_to, '') <> '' then 1 else 0 end
    ) stored
);

-- Each serves one kind of list from its end: ids grow with creation.
create index mailboxes_by_domain on mailboxes (domain, id);
create index mailboxes_by_flags on mailboxes (flags, id);
create index mailboxes_by_domain_and_flags on mailboxes (domain, flags, id);
create index mailboxes_by_expiry on mailboxes (expires_at);

-- Every run of three characters of every address, as it is spelt. Kept by triggers, like the counts below.
create virtual table mailbox_search using fts5 (
    address, content = 'mailboxes', content_rowid = 'id', tokenize = 'trigram case_sensitive 1', detail = none
);

-- How many mailboxes there are, so that a list need not count them: at most eight rows, and eight per domain.
create table mailbox_counts (
    flags integer primary key,
    mailboxes integer not null
);

create table mailbox_counts_by_domain (
    domain text not null,
    flags integer not null,
    mailboxes integer not null,
    primary key (domain, flags)
);

create trigger mailboxes_added after insert on mailboxes begin
    insert into mailbox_search (rowid, address) values (new.id, new.address);
    insert into mailbox_counts (flags, mailboxes) values (new.flags, 1)
        on conflict (flags) do update set mailboxes = mailboxes + 1;
    insert into mailbox_counts_by_domain (domain, flags, mailboxes) values (new.domain, new.flags, 1)
        on conflict (domain, flags) do update set mailboxes = mailboxes + 1;
end;

create trigger mailboxes_removed after delete on mailboxes begin
    insert into mailbox_search (mailbox_search, rowid, address) values ('delete', old.id, old.address);
    update mailbox_counts set mailboxes = mailboxes - 1 where flags = old.flags;
    update mailbox_counts_by_domain set mailboxes = mailboxes - 1 where domain = old.domain and flags = old.flags;
    delete from mailbox_counts_by_domain where domain = old.domain and flags = old.flags and mailboxes = 0;
end;

create trigger mailboxes_renamed after update of id, address on mailboxes begin
    insert into mailbox_search (mailbox_search, rowid, address) values ('delete', old.id, old.address);
    insert into mailbox_search (rowid, address) values (new.id, new.address);
    update user_mailboxes set mailbox_address = new.address where mailbox_id = new.id;
end;

create trigger mailboxes_changed after update of domain, can_login, is_favorite, forward_to on mailboxes
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
    created_at text default current_timestamp,
    session_epoch integer not null default 0,
    mailbox_count integer not null default 0
);

create table user_mailboxes (
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

create index user_mailboxes_by_mailbox on user_mailboxes (mailbox_id);

-- A user's list, whatever it is filtered by, from this index alone: the columns of the mailbox are copies, kept by
-- triggers.
create index user_mailboxes_by_pin on user_mailboxes (
    user_id, is_pinned desc, mailbox_id desc, mailbox_flags, mailbox_domain, mailbox_address
);

create trigger user_mailboxes_added after insert on user_mailboxes begin
    update users set mailbox_count = mailbox_count + 1 where id = new.user_id;
    update user_mailboxes
    set (mailbox_flags, mailbox_domain, mailbox_address)
        = (select flags, domain, address from mailboxes where mailboxes.id = new.mailbox_id)
    where id = new.id;
end;

create trigger user_mailboxes_removed after delete on user_mailboxes begin
    update users set mailbox_count = mailbox_count - 1 where id = old.user_id;
end;

create trigger user_mailboxes_moved after update of user_id, mailbox_id on user_mailboxes begin
    update users set mailbox_count = mailbox_count - 1 where id = old.user_id;
    update users set mailbox_count = mailbox_count + 1 where id = new.user_id;
    update user_mailboxes
    set (mailbox_flags, mailbox_domain, mailbox_address)
        = (select flags, domain, address from mailboxes where mailboxes.id = new.mailbox_id)
    where id = new.id;
end;

-- How many users there are, by what the list of users counts: at most two rows for each role.
create table user_counts (
    role text not null,
    can_send integer not null,
    users integer not null,
    primary key (role, can_send)
);

create trigger users_added after insert on users begin
    insert into user_counts (role, can_send, users) values (new.role, new.can_send <> 0, 1)
        on conflict (role, can_send) do update set users = users + 1;
end;

create trigger users_removed after delete on users begin
    update user_counts set users = users - 1 where role = old.role and can_send = (old.can_send <> 0);
    delete from user_counts where role = old.role and can_send = (old.can_send <> 0) and users = 0;
end;

create trigger users_changed after update of role, can_send on users
when old.role <> new.role or old.can_send <> new.can_send begin
    update user_counts set users = users - 1 where role = old.role and can_send = (old.can_send <> 0);
    delete from user_counts where role = old.role and can_send = (old.can_send <> 0) and users = 0;
    insert into user_counts (role, can_send, users) values (new.role, new.can_send <> 0, 1)
        on conflict (role, can_send) do update set users = users + 1;
end;

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

create table api_tokens (
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

create index api_tokens_by_user on api_tokens (user_id, id);

create table audit_log (
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

create index audit_log_by_time on audit_log (at, id);
create index audit_log_by_actor on audit_log (actor, id);
create index audit_log_by_action on audit_log (action, id);
create index audit_log_by_actor_and_action on audit_log (actor, action, id);
