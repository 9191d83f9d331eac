-- Which mails a request made, by the key that its caller gave it, so that the same request again makes none.

create table send_keys (
    owner text not null,
    name text not null,
    request_hash text not null,
    -- A JSON array of outbox.uuid, in the order of the request.
    uuids text not null,
    created_at text not null,
    primary key (owner, name)
);

create index send_keys_by_time on send_keys (created_at);
