-- The provider sandboxes: who may use them, what came, and what is reported of it.

-- `lookup`: what a request names the credential by: the hash of its key, or a public name. `fields`: what it consists
-- of, as JSON; secrets are hashes. `switches`: JSON. `webhook_secret` is plain: what is sent is signed with it.
create table sandbox_credentials (
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

create index sandbox_credentials_by_provider on sandbox_credentials (provider, id);

-- `provider_id`: the id that the provider's caller was told. `scheduled_at` is set while the mail waits for its time.
-- `summary`: what lists show, as JSON of the provider's kind. `envelope`, `message_ids`: JSON.
create table sandbox_mails (
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

create index sandbox_mails_by_credential on sandbox_mails (credential_id, id);
create index sandbox_mails_by_schedule on sandbox_mails (scheduled_at, id) where state = 'scheduled';
create index sandbox_mails_waiting on sandbox_mails (credential_id) where state = 'scheduled';
create index sandbox_mails_by_creation on sandbox_mails (created_at, id);

-- Apart from sandbox_mails, so that lists and changes of state do not touch them. `raw`: the mail, while it waits.
create table sandbox_bodies (
    mail_id integer primary key references sandbox_mails (id) on delete cascade,
    request blob not null,
    raw blob
);

-- What was answered under an idempotency key.
create table sandbox_answers (
    credential_id integer not null references sandbox_credentials (id) on delete cascade,
    idempotency_key text not null,
    request_hash text not null,
    answer blob not null,
    created_at text not null,
    primary key (credential_id, idempotency_key)
);

create index sandbox_answers_by_creation on sandbox_answers (created_at);

-- How many mails were taken on each day (UTC, YYYY-MM-DD); the day '' is the sum of days long past.
create table sandbox_usage (
    credential_id integer not null references sandbox_credentials (id) on delete cascade,
    day text not null,
    mails integer not null,
    primary key (credential_id, day)
);

create index sandbox_usage_by_day on sandbox_usage (day);

-- Reports to be posted to a credential's webhook. `due`: the next try, or the end of a claimer's lease.
create table sandbox_reports (
    id integer primary key autoincrement,
    credential_id integer not null references sandbox_credentials (id) on delete cascade,
    report_id text not null unique,
    body blob not null,
    due text not null,
    attempts integer not null default 0,
    last_error text
);

create index sandbox_reports_by_due on sandbox_reports (due, id);
create index sandbox_reports_by_credential on sandbox_reports (credential_id);
