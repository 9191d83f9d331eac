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

-- Claims read this from its start: mails of later, and finished ones, cost nothing.
create index outbox_by_due on outbox (due, id) where state in ('queued', 'scheduled', 'sending');
create index outbox_by_state on outbox (state, id);
create index outbox_by_user on outbox (user_id, id);
create index outbox_by_update on outbox (updated_at, id);

-- Apart from outbox, so that a claim does not rewrite the message.
create table outbox_payloads (
    outbox_id integer primary key references outbox (id) on delete cascade,
    payload blob not null
);

-- `request_body`: the exact bytes, stored before they are sent, the same at every try with this key.
create table outbox_calls (
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

create index outbox_calls_by_mail on outbox_calls (outbox_id, id);
create index outbox_calls_by_provider_id on outbox_calls (provider_message_id);

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
create index outbox_recipients_by_provider_id on outbox_recipients (provider_message_id);

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

-- Names the outbox mail that a record belongs to; null for what was imported.
alter table sent_emails add column uuid text;
create index sent_emails_by_uuid on sent_emails (uuid);

insert into outbox_moves (from_state, to_state) values
    ('queued', 'canceled'),
    ('queued', 'failed'),
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
