-- part: template
temp_id, name, subject, html, text, updated_at

-- part: mail
id, credential_id, provider_id, state, scheduled_at, summary, envelope, message_ids, created_at

-- part: within
credential_id = :credential_id and created_at >= :since and created_at < :until

-- name: sandbox_records.templates
-- By temp_id. Serves: the primary key.
select {template} from sandbox_templates where credential_id = :credential_id order by temp_id;

-- name: sandbox_records.template
-- One row or none. Serves: the primary key.
select {template} from sandbox_templates where credential_id = :credential_id and temp_id = :temp_id;

-- name: sandbox_records.place
-- One row, or none where there is no such credential: how many templates it has, how many but this one, and the
-- highest id. Serves: the primary keys.
select
    count(temp_id) as templates,
    coalesce(sum(case when temp_id = :temp_id then 0 else 1 end), 0) as others,
    coalesce(max(temp_id), 0) as highest
from sandbox_credentials
left join sandbox_templates on credential_id = sandbox_credentials.id
where sandbox_credentials.id = :credential_id
group by sandbox_credentials.id;

-- name: sandbox_records.put_template
insert into sandbox_templates (credential_id, temp_id, name, subject, html, text, updated_at)
values (:credential_id, :temp_id, :name, :subject, :html, :text, :updated_at)
on conflict (credential_id, temp_id) do update
set name = excluded.name, subject = excluded.subject, html = excluded.html, text = excluded.text,
    updated_at = excluded.updated_at;

-- name: sandbox_records.remove_template
-- A row if there was one.
delete from sandbox_templates where credential_id = :credential_id and temp_id = :temp_id returning temp_id;

-- name: sandbox_records.add_entry
-- The new id.
insert into sandbox_log (credential_id, appid, mail, title, code, detail, address, created_at)
values (:credential_id, :appid, :mail, :title, :code, :detail, :address, :created_at)
returning id;

-- name: sandbox_records.cut_log
-- Serves: the primary key.
delete from sandbox_log where id <= :last;

-- name: sandbox_records.entries
-- Newest first. Serves: the primary key, read backwards.
select id, credential_id, appid, mail, title, code, detail, address, created_at
from sandbox_log
where id < :below
order by id desc
limit :limit;

-- name: sandbox_records.by_state
-- One row. Serves: sandbox_mails_by_time.
select
    coalesce(sum(case when state = 'scheduled' then 1 else 0 end), 0) as scheduled,
    coalesce(sum(case when state = 'delivered' then 1 else 0 end), 0) as delivered,
    coalesce(sum(case when state = 'bounced' then 1 else 0 end), 0) as bounced,
    coalesce(sum(case when state = 'complained' then 1 else 0 end), 0) as complained,
    coalesce(sum(case when state = 'suppressed' then 1 else 0 end), 0) as suppressed,
    coalesce(sum(case when state = 'canceled' then 1 else 0 end), 0) as canceled,
    coalesce(sum(case when state = 'failed' then 1 else 0 end), 0) as failed
from sandbox_mails
where {within};

-- name: sandbox_records.taken_between
-- Newest first. Serves: sandbox_mails_by_time, read backwards; by offset, since pages are what callers ask for, of at
-- most as many mails as are kept.
select {mail} from sandbox_mails
where {within}
order by created_at desc, id desc
limit :limit offset :offset;
