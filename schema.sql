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
    -- When it is looked at next: its time, its next try, or the end of the lease of whoever claimed it; null: never.
    due text,
    -- Grows with each claim and each change of plan, which ends what an earlier claimer may do.
    turn integer not null default 0,
    deadline text not null,
    attempts integer not null default 0,
    at_least_once integer not null default 0,
    error text,
    object_key text not null default '',
    created_at text not null,
    updated_at text not null,
    -- Nothing that has yet to be sent is ever lost from sight.
    check (due is not null or state not in ('queued', 'scheduled', 'sending'))
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
    -- Those of its tries that count against its number: not the ones that were only too early.
    failures integer not null default 0,
    provider_message_id text,
    error text,
    began_at text,
    -- When the provider is asked what became of it, and how often it was.
    look_due text,
    looks integer not null default 0,
    updated_at text not null,
    request_target text not null,
    request_type text not null,
    -- Of the bytes, in outbox_requests: SHA-256 in hex.
    request_digest text not null
);

CREATE TABLE outbox_requests (
    outbox_id integer not null references outbox (id) on delete cascade,
    digest text not null,
    body blob not null,
    primary key (outbox_id, digest)
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

CREATE TABLE outbox_counts (
    provider text not null,
    state text not null,
    mails integer not null,
    primary key (provider, state)
);

CREATE TABLE capsules (
    id integer primary key autoincrement,
    uuid text not null unique,
    capsule_uuid text unique,
    status text not null,
    revision integer not null default 1,
    owner_key text not null,
    sender_name text not null,
    sender_address text,
    recipient_user_id integer,
    recipient_name text not null,
    recipient_address text,
    title text not null,
    capsule_style text not null,
    is_encrypted integer not null,
    password_hash text,
    trigger_type text not null,
    trigger_condition text not null,
    is_outside integer not null default 0,
    send_at text,
    set_at text,
    released_at text,
    due text,
    delivered_at text,
    attachment_count integer not null default 0,
    attachment_bytes integer not null default 0,
    has_content integer not null,
    mailbox_id integer,
    outbox_uuid text,
    error text,
    created_at text not null,
    updated_at text not null,
    -- Nothing that is set is ever lost from sight.
    check (due is not null or status not in ('pending', 'delivering') or outbox_uuid is not null)
);

CREATE TABLE capsule_contents (
    capsule_id integer primary key references capsules (id) on delete cascade,
    content text not null
);

CREATE TABLE capsule_attachments (
    id integer primary key autoincrement,
    capsule_id integer not null references capsules (id) on delete cascade,
    uuid text not null unique,
    filename text not null,
    content_type text not null,
    size_bytes integer not null,
    created_at text not null
);

CREATE TABLE capsule_files (
    attachment_id integer primary key references capsule_attachments (id) on delete cascade,
    body blob not null
);

CREATE TABLE capsule_uses (
    owner_key text not null,
    month text not null,
    capsule_id integer not null,
    primary key (owner_key, month, capsule_id)
);

CREATE TABLE capsule_keys (
    owner_key text not null,
    name text not null,
    request_hash text not null,
    uuid text not null,
    capsule_uuid text not null,
    send_at text not null,
    set_at text not null,
    created_at text not null,
    primary key (owner_key, name)
);

CREATE TABLE capsule_moves (
    from_status text not null,
    to_status text not null,
    primary key (from_status, to_status)
);

CREATE TABLE sandbox_credentials (
    id integer primary key autoincrement,
    provider text not null,
    name text not null,
    lookup text not null,
    fields text not null,
    mailbox text not null,
    switches text not null,
    webhook_url text,
    webhook_secret text,
    created_at text not null,
    unique (provider, lookup)
);

CREATE TABLE sandbox_mails (
    id integer primary key autoincrement,
    credential_id integer not null references sandbox_credentials (id) on delete cascade,
    provider_id text not null,
    state text not null,
    scheduled_at text,
    summary text not null,
    envelope text not null,
    message_ids text not null default '[]',
    created_at text not null,
    unique (credential_id, provider_id)
);

CREATE TABLE sandbox_bodies (
    mail_id integer primary key references sandbox_mails (id) on delete cascade,
    request blob not null,
    raw blob
);

CREATE TABLE sandbox_answers (
    credential_id integer not null references sandbox_credentials (id) on delete cascade,
    idempotency_key text not null,
    request_hash text not null,
    answer blob not null,
    created_at text not null,
    primary key (credential_id, idempotency_key)
);

CREATE TABLE sandbox_usage (
    credential_id integer not null references sandbox_credentials (id) on delete cascade,
    day text not null,
    mails integer not null,
    primary key (credential_id, day)
);

CREATE TABLE sandbox_reports (
    id integer primary key autoincrement,
    credential_id integer not null references sandbox_credentials (id) on delete cascade,
    report_id text not null unique,
    body blob not null,
    due text not null,
    attempts integer not null default 0,
    last_error text
);

CREATE TABLE forward_targets (
    address text primary key,
    code_hash text not null,
    code_expires_at text not null,
    tries_left integer not null,
    asked_at text not null,
    verified_at text
);

CREATE TABLE send_keys (
    owner text not null,
    name text not null,
    request_hash text not null,
    -- A JSON array of outbox.uuid, in the order of the request.
    uuids text not null,
    created_at text not null,
    primary key (owner, name)
);

CREATE TABLE sandbox_templates (
    credential_id integer not null references sandbox_credentials (id) on delete cascade,
    temp_id integer not null,
    name text not null,
    subject text not null,
    html text not null,
    text text not null,
    updated_at text not null,
    primary key (credential_id, temp_id)
);

CREATE TABLE sandbox_log (
    id integer primary key autoincrement,
    credential_id integer references sandbox_credentials (id) on delete set null,
    appid text not null,
    mail text not null,
    title text not null,
    code integer not null,
    detail text not null,
    address text not null,
    created_at text not null
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

CREATE INDEX spool_by_due on spool (due, id);

CREATE INDEX object_deletes_by_due on object_deletes (due);

CREATE INDEX jobs_by_due on jobs (due, id);

CREATE INDEX revoked_sessions_by_expiry on revoked_sessions (expires_at);

CREATE INDEX api_tokens_by_user on api_tokens (user_id, id);

CREATE INDEX audit_log_by_time on audit_log (at, id);

CREATE INDEX audit_log_by_actor on audit_log (actor, id);

CREATE INDEX audit_log_by_action on audit_log (action, id);

CREATE INDEX audit_log_by_actor_and_action on audit_log (actor, action, id);

CREATE INDEX outbox_by_due on outbox (due, id) where due is not null;

CREATE INDEX outbox_by_state on outbox (state, id);

CREATE INDEX outbox_by_user on outbox (user_id, id) where user_id is not null;

CREATE INDEX outbox_waiting_by_user on outbox (user_id) where due is not null and user_id is not null;

CREATE INDEX outbox_by_kind on outbox (kind, id);

CREATE INDEX outbox_by_end on outbox (updated_at, id) where due is null and state <> 'unknown';

CREATE INDEX outbox_calls_by_mail on outbox_calls (outbox_id, id);

CREATE INDEX outbox_calls_by_provider_id on outbox_calls (provider_message_id) where provider_message_id is not null;

CREATE INDEX outbox_calls_by_look on outbox_calls (look_due, id) where look_due is not null;

CREATE INDEX outbox_recipients_by_call on outbox_recipients (call_id);

CREATE INDEX outbox_recipients_by_provider_id on outbox_recipients (provider_message_id)
    where provider_message_id is not null;

CREATE INDEX provider_events_by_message on provider_events (provider_message_id, id);

CREATE INDEX provider_events_by_receipt on provider_events (received_at, id);

CREATE INDEX sent_emails_by_uuid on sent_emails (uuid);

CREATE INDEX sent_emails_by_sender on sent_emails (from_addr, created_at desc, id desc);

CREATE INDEX capsules_by_owner on capsules (owner_key, status, send_at, id);

CREATE INDEX capsules_by_due on capsules (due, id) where due is not null;

CREATE INDEX capsules_by_outbox on capsules (status, id) where outbox_uuid is not null;

CREATE INDEX capsules_by_recipient on capsules (recipient_user_id, status);

CREATE INDEX capsules_by_mailbox on capsules (mailbox_id);

CREATE INDEX capsules_by_delivery on capsules (delivered_at, id) where delivered_at is not null;

CREATE INDEX capsule_attachments_by_capsule on capsule_attachments (capsule_id, id);

CREATE INDEX capsule_keys_by_creation on capsule_keys (created_at);

CREATE INDEX sandbox_credentials_by_provider on sandbox_credentials (provider, id);

CREATE INDEX sandbox_mails_by_credential on sandbox_mails (credential_id, id);

CREATE INDEX sandbox_mails_by_schedule on sandbox_mails (scheduled_at, id) where state = 'scheduled';

CREATE INDEX sandbox_mails_waiting on sandbox_mails (credential_id) where state = 'scheduled';

CREATE INDEX sandbox_mails_by_creation on sandbox_mails (created_at, id);

CREATE INDEX sandbox_answers_by_creation on sandbox_answers (created_at);

CREATE INDEX sandbox_usage_by_day on sandbox_usage (day);

CREATE INDEX sandbox_reports_by_due on sandbox_reports (due, id);

CREATE INDEX sandbox_reports_by_credential on sandbox_reports (credential_id);

CREATE INDEX forward_targets_unanswered on forward_targets (asked_at) where verified_at is null;

CREATE INDEX send_keys_by_time on send_keys (created_at);

CREATE INDEX sandbox_log_by_credential on sandbox_log (credential_id);

CREATE INDEX sandbox_mails_by_time on sandbox_mails (credential_id, created_at, id);

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

CREATE TRIGGER outbox_recipient_moved before update of state on outbox_recipients
when new.state <> old.state
    and not exists (select 1 from outbox_moves where from_state = old.state and to_state = new.state)
begin
    select raise(abort, 'this recipient cannot move to that state');
end;

CREATE TRIGGER outbox_added after insert on outbox begin
    insert into outbox_counts (provider, state, mails) values (coalesce(new.provider, ''), new.state, 1)
        on conflict (provider, state) do update set mails = mails + 1;
end;

CREATE TRIGGER outbox_removed after delete on outbox begin
    update outbox_counts set mails = mails - 1 where provider = coalesce(old.provider, '') and state = old.state;
end;

CREATE TRIGGER outbox_changed after update of state, provider on outbox
when new.state <> old.state or new.provider is not old.provider begin
    update outbox_counts set mails = mails - 1 where provider = coalesce(old.provider, '') and state = old.state;
    insert into outbox_counts (provider, state, mails) values (coalesce(new.provider, ''), new.state, 1)
        on conflict (provider, state) do update set mails = mails + 1;
    update sent_emails
    set status = new.state,
        provider = coalesce(new.provider, provider),
        resend_id = coalesce(
            (
                select provider_message_id from outbox_calls
                where outbox_id = new.id and provider_message_id is not null
                order by id desc limit 1
            ),
            resend_id
        ),
        updated_at = new.updated_at
    where uuid = new.uuid and new.state <> 'sending';
end;

CREATE TRIGGER outbox_rescheduled after update of scheduled_at on outbox
when new.scheduled_at is not old.scheduled_at begin
    update sent_emails set scheduled_at = new.scheduled_at, updated_at = new.updated_at where uuid = new.uuid;
end;

CREATE TRIGGER capsule_begun before insert on capsules
when new.status <> 'draft'
begin
    select raise(abort, 'a capsule begins as a draft');
end;

CREATE TRIGGER capsule_moved before update of status on capsules
when new.status <> old.status
    and not exists (select 1 from capsule_moves where from_status = old.status and to_status = new.status)
begin
    select raise(abort, 'this capsule cannot move to that state');
end;

CREATE TRIGGER capsules_of_user after delete on users begin
    delete from capsules
    where recipient_user_id = old.id and mailbox_id is null and status = 'delivered'
        and owner_key <> 'root'
        and not exists (
            select 1 from users
            where users.id = cast(substr(owner_key, 6) as integer) and owner_key = 'user:' || users.id
        )
        and not exists (
            select 1 from mailboxes
            where mailboxes.id = cast(substr(owner_key, 9) as integer) and owner_key = 'mailbox:' || mailboxes.id
        );
    update capsules set recipient_user_id = null where recipient_user_id = old.id;
    delete from capsules
    where owner_key = 'user:' || old.id
        and (status <> 'delivered' or (recipient_user_id is null and mailbox_id is null));
    delete from capsule_uses where owner_key = 'user:' || old.id;
    delete from capsule_keys where owner_key = 'user:' || old.id;
end;

CREATE TRIGGER capsules_of_mailbox after delete on mailboxes begin
    delete from capsules
    where mailbox_id = old.id and recipient_user_id is null and status = 'delivered'
        and owner_key <> 'root'
        and not exists (
            select 1 from users
            where users.id = cast(substr(owner_key, 6) as integer) and owner_key = 'user:' || users.id
        )
        and not exists (
            select 1 from mailboxes
            where mailboxes.id = cast(substr(owner_key, 9) as integer) and owner_key = 'mailbox:' || mailboxes.id
        );
    update capsules set mailbox_id = null where mailbox_id = old.id;
    delete from capsules
    where owner_key = 'mailbox:' || old.id
        and (status <> 'delivered' or (recipient_user_id is null and mailbox_id is null));
    delete from capsule_uses where owner_key = 'mailbox:' || old.id;
    delete from capsule_keys where owner_key = 'mailbox:' || old.id;
end;
