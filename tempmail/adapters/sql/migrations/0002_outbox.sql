-- Mails that go out. A mail is sent in calls to a provider; each recipient belongs to the call that reaches it.

create table outbox (
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

-- Claims read this from its start: mails of later, and finished ones, cost nothing.
create index outbox_by_due on outbox (due, id) where due is not null;
create index outbox_by_state on outbox (state, id);
create index outbox_by_user on outbox (user_id, id) where user_id is not null;
-- Bounds what one user may have waiting.
create index outbox_waiting_by_user on outbox (user_id) where due is not null and user_id is not null;
create index outbox_by_kind on outbox (kind, id);
-- What a purge may take, longest untouched first.
create index outbox_by_end on outbox (updated_at, id) where due is null and state <> 'unknown';

-- Apart from outbox, so that a claim does not rewrite the message.
create table outbox_payloads (
    outbox_id integer primary key references outbox (id) on delete cascade,
    payload blob not null
);

create table outbox_calls (
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

create index outbox_calls_by_mail on outbox_calls (outbox_id, id);
create index outbox_calls_by_provider_id on outbox_calls (provider_message_id) where provider_message_id is not null;
create index outbox_calls_by_look on outbox_calls (look_due, id) where look_due is not null;

-- The exact bytes of calls, stored before they are sent, the same at every try; calls of a mail that send the same bytes
-- share them. Apart from outbox_calls, so that an outcome does not rewrite them.
create table outbox_requests (
    outbox_id integer not null references outbox (id) on delete cascade,
    digest text not null,
    body blob not null,
    primary key (outbox_id, digest)
);

-- `call_id`: the call that reaches it; null: none yet, or it is to have a new one.
create table outbox_recipients (
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

create index outbox_recipients_by_call on outbox_recipients (call_id);
create index outbox_recipients_by_provider_id on outbox_recipients (provider_message_id)
    where provider_message_id is not null;

-- The moves of domain/outbound.py, which a test holds this list to.
create table outbox_moves (
    from_state text not null,
    to_state text not null,
    primary key (from_state, to_state)
);

-- What a provider reported by itself, kept to know repeats and for calls that are not settled yet.
create table provider_events (
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

create index provider_events_by_message on provider_events (provider_message_id, id);
create index provider_events_by_receipt on provider_events (received_at, id);

-- Accounts that are not used before `until`: exhausted, refused, or failing again and again.
create table provider_pauses (
    provider text not null,
    account text not null,
    until text not null,
    reason text not null,
    primary key (provider, account)
);

-- How many mails there are of each provider ('' before one is chosen) and state, kept by triggers.
create table outbox_counts (
    provider text not null,
    state text not null,
    mails integer not null,
    primary key (provider, state)
);

-- Names the outbox mail that a record belongs to; null for what was imported.
alter table sent_emails add column uuid text;
create index sent_emails_by_uuid on sent_emails (uuid);

-- In the order that lists have.
drop index sent_emails_by_sender;
create index sent_emails_by_sender on sent_emails (from_addr, created_at desc, id desc);

insert into outbox_moves (from_state, to_state) values
    ('queued', 'canceled'),
    ('queued', 'failed'),
    ('queued', 'scheduled'),
    ('queued', 'sending'),
    ('scheduled', 'canceled'),
    ('scheduled', 'failed'),
    ('scheduled', 'sending'),
    ('sending', 'accepted'),
    ('sending', 'bounced'),
    ('sending', 'delivered'),
    ('sending', 'failed'),
    ('sending', 'queued'),
    ('sending', 'unknown'),
    ('accepted', 'bounced'),
    ('accepted', 'delivered'),
    ('accepted', 'failed'),
    ('unknown', 'accepted'),
    ('unknown', 'bounced'),
    ('unknown', 'delivered'),
    ('unknown', 'failed'),
    ('unknown', 'queued'),
    ('unknown', 'sending'),
    ('failed', 'queued');

create trigger outbox_moved before update of state on outbox
when new.state <> old.state
    and not exists (select 1 from outbox_moves where from_state = old.state and to_state = new.state)
begin
    select raise(abort, 'this mail cannot move to that state');
end;

create trigger outbox_call_moved before update of state on outbox_calls
when new.state <> old.state
    and not exists (select 1 from outbox_moves where from_state = old.state and to_state = new.state)
begin
    select raise(abort, 'this call cannot move to that state');
end;

create trigger outbox_recipient_moved before update of state on outbox_recipients
when new.state <> old.state
    and not exists (select 1 from outbox_moves where from_state = old.state and to_state = new.state)
begin
    select raise(abort, 'this recipient cannot move to that state');
end;

create trigger outbox_added after insert on outbox begin
    insert into outbox_counts (provider, state, mails) values (coalesce(new.provider, ''), new.state, 1)
        on conflict (provider, state) do update set mails = mails + 1;
end;

create trigger outbox_removed after delete on outbox begin
    update outbox_counts set mails = mails - 1 where provider = coalesce(old.provider, '') and state = old.state;
end;

-- The record of a sent mail follows its state, so that it is right after the mail has left the outbox too. Not while it
-- is being sent: that is over soon, and the record holds the whole text.
create trigger outbox_changed after update of state, provider on outbox
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

create trigger outbox_rescheduled after update of scheduled_at on outbox
when new.scheduled_at is not old.scheduled_at begin
    update sent_emails set scheduled_at = new.scheduled_at, updated_at = new.updated_at where uuid = new.uuid;
end;
