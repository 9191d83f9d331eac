-- part: credential
id, provider, name, lookup, fields, mailbox, switches, webhook_url, webhook_secret, created_at

-- part: mail
id, credential_id, provider_id, state, scheduled_at, summary, envelope, message_ids, created_at

-- name: sandbox.count_credentials
select count(*) as credentials from sandbox_credentials;

-- name: sandbox.insert_credential
-- The new id; no row where the provider has one of this lookup.
insert into sandbox_credentials (
    provider, name, lookup, fields, mailbox, switches, webhook_url, webhook_secret, created_at
)
values (:provider, :name, :lookup, :fields, :mailbox, :switches, :webhook_url, :webhook_secret, :created_at)
on conflict (provider, lookup) do nothing
returning id;

-- name: sandbox.find_credential
-- One row or none. Serves: the unique key.
select {credential} from sandbox_credentials where provider = :provider and lookup = :lookup;

-- name: sandbox.get_credential
-- One row or none. Serves: the primary key.
select {credential} from sandbox_credentials where id = :id;

-- name: sandbox.credentials
-- Those of every provider, by id. Serves: the primary key.
select {credential} from sandbox_credentials where id > :after_id order by id limit :limit;

-- name: sandbox.credentials_of
-- Those of one provider, by id. Serves: sandbox_credentials_by_provider.
select {credential} from sandbox_credentials
where provider = :provider and id > :after_id
order by id
limit :limit;

-- name: sandbox.change_credential
-- The credential as it is then, or no row.
update sandbox_credentials
set name = :name, switches = :switches, webhook_url = :webhook_url, webhook_secret = :webhook_secret
where id = :id
returning {credential};

-- name: sandbox.retire_credential
-- A row if there is one, which no request names from now on: no value that is looked up has a blank.
update sandbox_credentials set lookup = 'removed ' || id where id = :id returning id;

-- name: sandbox.clear_mails
-- The ids of up to :limit mails of a credential. Serves: sandbox_mails_by_credential.
delete from sandbox_mails
where id in (select id from sandbox_mails where credential_id = :credential_id order by id limit :limit)
returning id;

-- name: sandbox.clear_answers
-- Likewise. Serves: the primary key.
delete from sandbox_answers
where credential_id = :credential_id and idempotency_key in (
    select idempotency_key from sandbox_answers where credential_id = :credential_id limit :limit
)
returning idempotency_key;

-- name: sandbox.clear_reports
-- Likewise. Serves: sandbox_reports_by_credential.
delete from sandbox_reports
where id in (select id from sandbox_reports where credential_id = :credential_id order by id limit :limit)
returning id;

-- name: sandbox.remove_credential
-- A row if there was one; what hangs on it goes with it.
delete from sandbox_credentials where id = :id returning id;

-- name: sandbox.usage
-- One row, or none where there is no such credential: how many mails were taken today and this month.
select
    coalesce(sum(case when day = :today then mails else 0 end), 0) as today,
    coalesce(sum(mails), 0) as month
from sandbox_credentials
left join sandbox_usage on credential_id = sandbox_credentials.id and day >= :month_start
where sandbox_credentials.id = :credential_id
group by sandbox_credentials.id;

-- name: sandbox.used
-- One row. Serves: the primary key.
select coalesce(sum(mails), 0) as mails from sandbox_usage where credential_id = :credential_id and day >= :since_day;

-- name: sandbox.count_use
insert into sandbox_usage (credential_id, day, mails) values (:credential_id, :day, :mails)
on conflict (credential_id, day) do update set mails = sandbox_usage.mails + excluded.mails;

-- name: sandbox.add_up_use
-- One row for each credential of all its days before :before. Serves: sandbox_usage_by_day.
insert into sandbox_usage (credential_id, day, mails)
select credential_id, '', sum(mails) from sandbox_usage where day > '' and day < :before group by credential_id
on conflict (credential_id, day) do update set mails = sandbox_usage.mails + excluded.mails;

-- name: sandbox.forget_use
-- The days that were added up. Serves: sandbox_usage_by_day.
delete from sandbox_usage where day > '' and day < :before;

-- name: sandbox.find_answer
-- One row or none. Serves: the primary key.
select request_hash, answer from sandbox_answers
where credential_id = :credential_id and idempotency_key = :idempotency_key and created_at > :since;

-- name: sandbox.insert_answer
-- In the place of one that counts as forgotten.
insert into sandbox_answers (credential_id, idempotency_key, request_hash, answer, created_at)
values (:credential_id, :idempotency_key, :request_hash, :answer, :created_at)
on conflict (credential_id, idempotency_key) do update
set request_hash = excluded.request_hash, answer = excluded.answer, created_at = excluded.created_at;

-- name: sandbox.insert_mail
-- The new ids, with what tells which is whose. For many rows.
insert into sandbox_mails (
    credential_id, provider_id, state, scheduled_at, summary, envelope, message_ids, created_at
)
values (:credential_id, :provider_id, :state, :scheduled_at, :summary, :envelope, :message_ids, :created_at)
returning id, credential_id, provider_id;

-- name: sandbox.insert_body
-- For many rows.
insert into sandbox_bodies (mail_id, request, raw) values (:mail_id, :request, :raw);

-- name: sandbox.insert_report
-- For many rows.
insert into sandbox_reports (credential_id, report_id, body, due) values (:credential_id, :report_id, :body, :due);

-- name: sandbox.release
-- A row if the mail still waits for this very time.
update sandbox_mails set state = :state
where id = :id and state = 'scheduled' and scheduled_at = :scheduled_at
returning id;

-- name: sandbox.set_message_ids
update sandbox_mails set message_ids = :message_ids where id = :id;

-- name: sandbox.drop_raw
update sandbox_bodies set raw = null where mail_id = :mail_id;

-- name: sandbox.mail
-- One row or none. Serves: the unique key.
select {mail} from sandbox_mails where credential_id = :credential_id and provider_id = :provider_id;

-- name: sandbox.mails_below
-- Newest first. Serves: sandbox_mails_by_credential, read backwards.
select {mail} from sandbox_mails
where credential_id = :credential_id and id < :below
order by id desc
limit :limit;

-- name: sandbox.mails_above
-- Oldest first. Serves: sandbox_mails_by_credential.
select {mail} from sandbox_mails
where credential_id = :credential_id and id > :above
order by id
limit :limit;

-- name: sandbox.request_of
-- One row or none. Serves: the primary key.
select request from sandbox_bodies where mail_id = :mail_id;

-- name: sandbox.raw_of
-- One row or none. Serves: the primary key.
select raw from sandbox_bodies where mail_id = :mail_id;

-- name: sandbox.reschedule
-- A row if the mail still waits.
update sandbox_mails set scheduled_at = :scheduled_at where id = :id and state = 'scheduled' returning id;

-- name: sandbox.cancel
-- A row if the mail still waited.
update sandbox_mails set state = 'canceled' where id = :id and state = 'scheduled' returning id;

-- name: sandbox.due
-- The earliest first. Serves: sandbox_mails_by_schedule.
select {mail}
from sandbox_mails
where state = 'scheduled' and scheduled_at <= :now
order by scheduled_at, id
limit :limit;

-- name: sandbox.waiting
-- A row if more than :most mails of a credential wait for their time. Serves: sandbox_mails_waiting.
select id from sandbox_mails where credential_id = :credential_id and state = 'scheduled' limit 1 offset :most;

-- name: sandbox.due_reports
-- By time. Serves: sandbox_reports_by_due.
select id from sandbox_reports where due <= :now order by due, id limit :limit;

-- name: sandbox.claim_report
-- The report with where it goes, if it is still due.
update sandbox_reports set due = :until, attempts = attempts + 1
where id = :id and due <= :now
returning id, credential_id, report_id, body, attempts - 1 as attempts;

-- name: sandbox.finish_report
delete from sandbox_reports where id = :id;

-- name: sandbox.retry_report
update sandbox_reports set due = :due, last_error = :error where id = :id;

-- name: sandbox.forget_mails
-- The ids of up to :limit of the oldest that were recorded before :before. Serves: sandbox_mails_by_creation.
delete from sandbox_mails
where id in (
    select id from sandbox_mails
    where created_at < :before and state <> 'scheduled'
    order by created_at, id
    limit :limit
)
returning id;

-- name: sandbox.newest_to_forget
-- One row or none: the newest that is not among the newest :keep. Serves: the primary key, read backwards.
select id from sandbox_mails where id > 0 order by id desc limit 1 offset :keep;

-- name: sandbox.forget_beyond
-- The ids of up to :limit of the oldest up to an id. Serves: the primary key.
delete from sandbox_mails
where id in (select id from sandbox_mails where id <= :newest and state <> 'scheduled' order by id limit :limit)
returning id;

-- name: sandbox.forget_reports
-- The ids of up to :limit of the oldest that have :keep newer ones. Serves: the primary key.
delete from sandbox_reports
where id in (
    select id from sandbox_reports
    where id <= (select max(id) from sandbox_reports) - :keep
    order by id
    limit :limit
)
returning id;

-- name: sandbox.forget_answers
-- Serves: sandbox_answers_by_creation.
delete from sandbox_answers
where (credential_id, idempotency_key) in (
    select credential_id, idempotency_key from sandbox_answers where created_at < :before order by created_at limit :limit
)
returning credential_id;
