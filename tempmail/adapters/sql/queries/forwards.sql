-- name: forwards.insert
-- The ids of the new mails of the outbox. For many rows.
insert into outbox (
    uuid, kind, state, from_addr, subject, due, deadline, at_least_once, object_key, created_at, updated_at
)
values (
    :uuid, 'forward', 'queued', :from_addr, :subject, :now, :deadline, 1, :object_key, :now, :now
)
returning id, uuid;

-- name: forwards.insert_payload
-- For many rows.
insert into outbox_payloads (outbox_id, payload) values (:outbox_id, :payload);

-- name: forwards.insert_recipient
-- For many rows.
insert into outbox_recipients (outbox_id, kind, address, state) values (:outbox_id, 'to', :address, 'queued');
