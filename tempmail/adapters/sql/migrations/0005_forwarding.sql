-- Addresses that mail is handed on to, where each must first say that it wants that.
create table forward_targets (
    address text primary key,
    code_hash text not null,
    code_expires_at text not null,
    tries_left integer not null,
    asked_at text not null,
    verified_at text
);

create index forward_targets_unanswered on forward_targets (asked_at) where verified_at is null;
