-- What single provider sandboxes keep beside credentials and mails.

-- Templates of the mail_push sandbox. `temp_id`: what its callers name one by.
create table sandbox_templates (
    credential_id integer not null references sandbox_credentials (id) on delete cascade,
    temp_id integer not null,
    name text not null,
    subject text not null,
    html text not null,
    text text not null,
    updated_at text not null,
    primary key (credential_id, temp_id)
);

-- What the nobase sandbox was asked to send, whatever came of it. `credential_id`: null where nobody has this appid (any
-- more). `code`, `detail`: as answered.
create table sandbox_log (
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

create index sandbox_log_by_credential on sandbox_log (credential_id);

-- What statistics and lists ask for.
create index sandbox_mails_by_time on sandbox_mails (credential_id, created_at, id);
