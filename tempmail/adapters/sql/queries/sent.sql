-- name: sent.insert
-- For many rows.
insert into sent_emails (
    uuid, from_name, from_addr, to_addrs, subject, html_content, text_content, status, scheduled_at, provider,
    created_at, updated_at
)
values (
    :uuid, :from_name, :from_addr, :to_addrs, :subject, :html_content, :text_content, :status, :scheduled_at, :provider,
    :created_at, :created_at
);

-- name: sent.page
-- A sender's, newest first, without content. Serves: sent_emails_by_sender, the unique key.
select
    sent_emails.from_addr, sent_emails.to_addrs, sent_emails.subject, sent_emails.from_name, null as html_content,
    null as text_content, sent_emails.scheduled_at, sent_emails.provider,
    coalesce(outbox.state, sent_emails.status, '') as status, sent_emails.created_at, sent_emails.resend_id,
    sent_emails.id, coalesce(sent_emails.uuid, '') as uuid
from sent_emails
left join outbox on outbox.uuid = sent_emails.uuid
where sent_emails.from_addr = :from_addr
order by sent_emails.created_at desc, sent_emails.id desc
limit :limit;

-- name: sent.get
-- Serves: the primary key, the unique key.
select
    sent_emails.from_addr, sent_emails.to_addrs, sent_emails.subject, sent_emails.from_name, sent_emails.html_content,
    sent_emails.text_content, sent_emails.scheduled_at, sent_emails.provider,
    coalesce(outbox.state, sent_emails.status, '') as status, sent_emails.created_at, sent_emails.resend_id,
    sent_emails.id, coalesce(sent_emails.uuid, '') as uuid
from sent_emails
left join outbox on outbox.uuid = sent_emails.uuid
where sent_emails.id = :id;

-- name: sent.find
-- The newest of that uuid or provider's id. Serves: the unique key, sent_emails_by_provider_id.
select
    sent_emails.from_addr, sent_emails.to_addrs, sent_emails.subject, sent_emails.from_name, sent_emails.html_content,
    sent_emails.text_content, sent_emails.scheduled_at, sent_emails.provider,
    coalesce(outbox.state, sent_emails.status, '') as status, sent_emails.created_at, sent_emails.resend_id,
    sent_emails.id, coalesce(sent_emails.uuid, '') as uuid
from sent_emails
left join outbox on outbox.uuid = sent_emails.uuid
where sent_emails.id = (
    select max(id) from (
        select max(id) as id from sent_emails where uuid = :name
        union all
        select max(id) as id from sent_emails where resend_id = :name
    )
);

-- name: sent.delete
delete from sent_emails where id = :id returning id;
