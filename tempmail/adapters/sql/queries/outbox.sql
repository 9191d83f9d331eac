-- part: mail
select
    outbox.id, outbox.uuid, outbox.kind, outbox.state, outbox.from_addr, outbox.subject, outbox.provider, outbox.error,
    outbox.attempts, outbox.scheduled_at, outbox.due, outbox.turn, outbox.deadline, outbox.created_at,
    outbox.updated_at, outbox.object_key, outbox.user_id, sent_emails.id as sent_id, outbox.at_least_once
from outbox
left join sent_emails on sent_emails.uuid = outbox.uuid

-- part: lookup
select
    outbox_calls.id, outbox_calls.outbox_id, outbox_calls.provider, outbox_calls.account,
    outbox_calls.provider_message_id, outbox_calls.looks
from outbox_calls

-- name: outbox.insert
-- The ids of those that are new. For many rows.
insert into outbox (
    uuid, kind, state, user_id, from_addr, subject, scheduled_at, due, deadline, at_least_once, object_key, created_at,
    updated_at
)
values (
    :uuid, :kind, :state, :user_id, :from_addr, :subject, :scheduled_at, :due, :deadline, :at_least_once, :object_key,
    :created_at, :created_at
)
on conflict (uuid) do nothing
returning id, uuid;

-- name: outbox.insert_payload
-- For many rows.
insert into outbox_payloads (outbox_id, payload) values (:outbox_id, :payload);

-- name: outbox.insert_recipient
-- For many rows.
insert into outbox_recipients (outbox_id, kind, address, state) values (:outbox_id, :kind, :address, :state);

-- name: outbox.waiting_of_user
-- How many mails of a user are not done, and the bytes of their payloads; counts no further than :limit mails.
-- Serves: outbox_waiting_by_user, the primary key.
select count(*) as mails, coalesce(sum(payload_bytes), 0) as payload_bytes
from (
    select length(outbox_payloads.payload) as payload_bytes
    from outbox
    join outbox_payloads on outbox_payloads.outbox_id = outbox.id
    where outbox.user_id = :user_id and outbox.due is not null
    limit :limit
);

-- name: outbox.of_uuid
-- For many rows. Serves: the unique key, sent_emails_by_uuid.
{mail}
where outbox.uuid in (values (:uuid));

-- name: outbox.get
-- For many rows. Serves: the primary key, sent_emails_by_uuid.
{mail}
where outbox.id in (values (:id));

-- name: outbox.payloads
-- For many rows. Serves: the primary key.
select outbox_id, payload from outbox_payloads where outbox_id in (values (:id));

-- name: outbox.recipients
-- For many rows. Serves: the unique key.
select id, outbox_id, call_id, kind, address, state, provider_message_id, error
from outbox_recipients
where outbox_id in (values (:id));

-- name: outbox.calls
-- For many rows. Serves: outbox_calls_by_mail.
select
    outbox_calls.id, outbox_calls.outbox_id, outbox_calls.provider, outbox_calls.account, outbox_calls.idempotency_key,
    outbox_calls.state, outbox_calls.attempts, outbox_calls.failures, outbox_calls.provider_message_id,
    outbox_calls.error, outbox_calls.began_at, outbox_calls.request_target, outbox_calls.request_type,
    outbox_calls.request_digest
from outbox_calls
where outbox_calls.outbox_id in (values (:id));

-- name: outbox.requests
-- For many rows. Serves: the unique key.
select outbox_id, digest, body from outbox_requests where outbox_id in (values (:id));

-- name: outbox.is_due
-- One row where anything may be claimed. Serves: outbox_by_due.
select 1 from outbox where due <= :now limit 1;

-- name: outbox.due
-- Mails that may be claimed, oldest due first. Serves: outbox_by_due.
select outbox.id, outbox.state, length(outbox_payloads.payload) as payload_bytes
from outbox
join outbox_payloads on outbox_payloads.outbox_id = outbox.id
where outbox.due <= :now
order by outbox.due, outbox.id
limit :limit;

-- name: outbox.claim
-- For many rows. Serves: the primary key.
update outbox set due = :until, turn = turn + 1 where id in (values (:id)) and due <= :now returning id;

-- name: outbox.lose_calls
-- Calls whose process died. For many rows. Serves: outbox_calls_by_mail.
update outbox_calls set state = 'unknown', error = :error, updated_at = :now
where outbox_id in (values (:id)) and state = 'sending';

-- name: outbox.lose_recipients
-- For many rows. Serves: the unique key.
update outbox_recipients set state = 'unknown', error = :error
where outbox_id in (values (:id)) and state = 'sending';

-- name: outbox.hold
-- The claimed mails that are still as they were claimed: they are being sent from now on. For many rows.
-- Serves: the primary key.
with held (id, turn, provider, until, now) as (values (:id, :turn, :provider, :until, :now))
update outbox
set state = 'sending', provider = held.provider, due = held.until, attempts = outbox.attempts + 1, updated_at = held.now
from held
where outbox.id = held.id and outbox.turn = held.turn and outbox.state in ('queued', 'scheduled', 'unknown')
returning outbox.id;

-- name: outbox.insert_call
-- The calls' ids. For many rows.
insert into outbox_calls (
    outbox_id, provider, account, idempotency_key, state, attempts, began_at, updated_at, request_target, request_type,
    request_digest
)
values (
    :outbox_id, :provider, :account, :idempotency_key, :state, :attempts, :began_at, :now, :request_target,
    :request_type, :request_digest
)
returning id, idempotency_key;

-- name: outbox.insert_request
-- For many rows.
insert into outbox_requests (outbox_id, digest, body) values (:outbox_id, :digest, :body)
on conflict (outbox_id, digest) do nothing;

-- name: outbox.give_recipients
-- The recipients that are a call's from now on: those that certainly have not got the mail. For many rows.
-- Serves: the unique key.
with given (call_id, outbox_id, address, state) as (values (:call_id, :outbox_id, :address, :state))
update outbox_recipients
set call_id = given.call_id, state = given.state, error = null
from given
where
    outbox_recipients.outbox_id = given.outbox_id
    and outbox_recipients.address = given.address
    and outbox_recipients.state in ('queued', 'scheduled')
returning outbox_recipients.id;

-- name: outbox.drop_replaced
-- Calls that were not made, and have no recipients any more. For many rows.
-- Serves: outbox_calls_by_mail, outbox_recipients_by_call.
update outbox_calls set state = 'failed', error = :error, updated_at = :now
where
    outbox_id in (values (:outbox_id))
    and state = 'queued'
    and not exists (select 1 from outbox_recipients where outbox_recipients.call_id = outbox_calls.id);

-- name: outbox.repeat_call
-- The call's mail and provider, where it may be made. Serves: the primary key.
update outbox_calls
set state = 'sending', attempts = attempts + 1, began_at = coalesce(began_at, :now), updated_at = :now
where id = :id and state in ('queued', 'unknown')
returning outbox_id, provider;

-- name: outbox.repeat_recipients
-- Serves: outbox_recipients_by_call.
update outbox_recipients set state = 'sending'
where call_id = :call_id and state in ('queued', 'scheduled', 'unknown')
returning id;

-- name: outbox.settle_calls
-- The calls whose outcome counts: it is that of the try under way, or proves that a lost try has reached the provider.
-- For many rows. Serves: the primary key.
with settled (id, attempt, state, message_id, error, failures, look_due, now) as (
    values (:id, :attempt, :state, :message_id, :error, :failures, :look_due, :now)
)
update outbox_calls
set
    state = settled.state,
    provider_message_id = coalesce(settled.message_id, outbox_calls.provider_message_id),
    error = settled.error,
    failures = outbox_calls.failures + settled.failures,
    look_due = settled.look_due,
    updated_at = settled.now
from settled
where
    outbox_calls.id = settled.id
    and (
        outbox_calls.state = 'sending' and outbox_calls.attempts = settled.attempt
        or settled.state = 'accepted' and outbox_calls.state in ('sending', 'unknown')
    )
returning outbox_calls.id, outbox_calls.outbox_id, outbox_calls.provider;

-- name: outbox.settle_recipients
-- For many rows. Serves: outbox_recipients_by_call.
with settled (call_id, state, error) as (values (:call_id, :state, :error))
update outbox_recipients
set state = settled.state, error = settled.error
from settled
where outbox_recipients.call_id = settled.call_id and outbox_recipients.state in ('sending', 'unknown');

-- name: outbox.name_recipient
-- The provider's id for one recipient. Serves: the unique key.
update outbox_recipients set provider_message_id = :message_id
where outbox_id = :outbox_id and address = :address and call_id = :call_id;

-- name: outbox.mails_of_calls
-- For many rows. Serves: the primary key.
select id, outbox_id, provider from outbox_calls where id in (values (:id));

-- name: outbox.recipient_states
-- For many rows. Serves: the unique key.
select outbox_id, state from outbox_recipients where outbox_id in (values (:id));

-- name: outbox.restate
-- Mails in the state of their recipients; those still in the given turn are looked at at :due next. For many rows.
-- Serves: the primary key.
with restated (id, state, error, keeps_error, turn, due, now) as (
    values (:id, :state, :error, :keeps_error, :turn, :due, :now)
)
update outbox
set
    state = restated.state,
    error = coalesce(restated.error, case when restated.keeps_error = 1 then outbox.error end),
    due = case when restated.turn = outbox.turn then restated.due else outbox.due end,
    updated_at = restated.now
from restated
where outbox.id = restated.id;

-- name: outbox.put_off
-- Serves: the primary key.
update outbox set due = :due, error = coalesce(:error, error), updated_at = :now where id = :id and turn = :turn;

-- name: outbox.end_calls
-- Serves: outbox_calls_by_mail.
update outbox_calls set state = :state, error = coalesce(:error, error), updated_at = :now
where outbox_id = :id and state = 'queued';

-- name: outbox.end_recipients
-- Serves: the unique key.
update outbox_recipients set state = :state, error = coalesce(:error, error)
where outbox_id = :id and state in ('queued', 'scheduled');

-- name: outbox.may_change
-- One row where nothing of the mail is begun or sent. Serves: the primary key, the unique key.
select turn from outbox
where
    id = :id
    and state in ('queued', 'scheduled')
    and not exists (
        select 1 from outbox_recipients
        where outbox_id = outbox.id and outbox_recipients.state not in ('queued', 'scheduled', 'failed')
    );

-- name: outbox.reschedule
-- Serves: the primary key.
update outbox
set scheduled_at = :scheduled_at, due = :scheduled_at, deadline = :deadline, state = 'scheduled', turn = turn + 1,
    updated_at = :now
where id = :id;

-- name: outbox.reschedule_recipients
-- Serves: the unique key.
update outbox_recipients set state = 'scheduled' where outbox_id = :id and state = 'queued';

-- name: outbox.retry
-- Serves: the primary key.
update outbox
set state = 'queued', due = :now, deadline = :deadline, error = null, turn = turn + 1, updated_at = :now
where id = :id;

-- name: outbox.retry_recipients
-- Those that are to have a new call. Serves: the unique key.
update outbox_recipients set state = 'queued', call_id = null, provider_message_id = null, error = null
where outbox_id = :id and state in ('failed', 'unknown')
returning id;

-- name: outbox.forgive
-- Accounts that were used up may be tried again. Serves: outbox_calls_by_mail.
update outbox_calls set failures = 0 where outbox_id = :id;

-- name: outbox.resolve_calls
-- Serves: outbox_calls_by_mail.
update outbox_calls set state = :state, error = null, updated_at = :now
where outbox_id = :id and state = 'unknown'
returning id;

-- name: outbox.resolve_recipients
-- Serves: the unique key.
update outbox_recipients set state = :state, error = null
where outbox_id = :id and state = 'unknown'
returning id;

-- name: outbox.stop
-- Nothing is done with it any more. Serves: the primary key.
update outbox set due = null, turn = turn + 1 where id = :id;

-- name: outbox.stop_if_done
-- The same, where no recipient waits. Serves: the primary key, the unique key.
update outbox set due = null, turn = turn + 1
where
    id = :id
    and not exists (
        select 1 from outbox_recipients
        where outbox_id = outbox.id and outbox_recipients.state in ('queued', 'scheduled', 'sending', 'unknown')
    );

-- name: outbox.find_by_uuid
-- Serves: the unique key.
select id from outbox where uuid = :name;

-- name: outbox.find_by_call
-- The newest mail of which a call has that id. Serves: outbox_calls_by_provider_id.
select max(outbox_id) as id from outbox_calls where provider_message_id = :name;

-- name: outbox.find_by_recipient
-- Serves: outbox_recipients_by_provider_id.
select max(outbox_id) as id from outbox_recipients where provider_message_id = :name;

-- name: outbox.page
-- Newest first. Serves: the primary key, sent_emails_by_uuid.
{mail}
where outbox.id < :before_id
order by outbox.id desc
limit :limit;

-- name: outbox.page_of_kind
-- Newest first. Serves: outbox_by_kind, sent_emails_by_uuid.
{mail}
where outbox.kind = :kind and outbox.id < :before_id
order by outbox.id desc
limit :limit;

-- name: outbox.page_of_state
-- Newest first, of any kind where :kind is ''. Serves: outbox_by_state, sent_emails_by_uuid.
{mail}
where outbox.state = :state and outbox.id < :before_id and (:kind = '' or outbox.kind = :kind)
order by outbox.id desc
limit :limit;

-- name: outbox.page_of_user
-- Newest first, of any state and kind where these are ''. Serves: outbox_by_user, sent_emails_by_uuid.
{mail}
where
    outbox.user_id = :user_id
    and outbox.id < :before_id
    and (:state = '' or outbox.state = :state)
    and (:kind = '' or outbox.kind = :kind)
order by outbox.id desc
limit :limit;

-- name: outbox.counts
-- A row for each provider and state.
select provider, state, mails from outbox_counts where mails > 0;

-- name: outbox.purge
-- Serves: outbox_by_end, the primary key.
delete from outbox
where id in (
    select id from outbox
    where due is null and state <> 'unknown' and updated_at < :before
    order by updated_at, id
    limit :limit
)
returning id;

-- name: outbox.purge_events
-- Serves: provider_events_by_receipt, the primary key.
delete from provider_events
where id in (
    select id from provider_events where received_at < :before order by received_at, id limit :limit
);

-- name: outbox.insert_event
-- The id of a report that is new.
insert into provider_events (
    provider, event_id, provider_message_id, event, state, reason, occurred_at, received_at
)
values (:provider, :event_id, :provider_message_id, :event, :state, :reason, :occurred_at, :received_at)
on conflict (provider, event_id) do nothing
returning id;

-- name: outbox.events
-- What providers reported of mails and is a state. For many rows. Serves: provider_events_by_message.
select id, provider, provider_message_id, state, reason, occurred_at from provider_events
where provider_message_id in (values (:message_id)) and state is not null;

-- name: outbox.recipients_named
-- The call and mail of recipients with an id of their own. Serves: outbox_recipients_by_provider_id, the primary key.
select outbox_recipients.id, outbox_recipients.call_id, outbox_calls.outbox_id
from outbox_recipients
join outbox_calls on outbox_calls.id = outbox_recipients.call_id
where outbox_recipients.provider_message_id = :message_id and outbox_calls.provider = :provider;

-- name: outbox.calls_named
-- Serves: outbox_calls_by_provider_id.
select id, outbox_id from outbox_calls where provider_message_id = :message_id and provider = :provider;

-- name: outbox.inform_recipient
-- What became of one. Serves: the primary key, the moves' key.
update outbox_recipients set state = :state, error = :error
where
    id = :id
    and state in ('accepted', 'unknown')
    and exists (
        select 1 from outbox_moves where from_state = outbox_recipients.state and to_state = :state
    );

-- name: outbox.inform_recipients
-- What became of all of a call. Serves: outbox_recipients_by_call, the moves' key.
update outbox_recipients set state = :state, error = :error
where
    call_id = :call_id
    and state in ('accepted', 'unknown')
    and exists (
        select 1 from outbox_moves where from_state = outbox_recipients.state and to_state = :state
    );

-- name: outbox.states_of_call
-- Serves: outbox_recipients_by_call.
select state from outbox_recipients where call_id = :call_id;

-- name: outbox.inform_call
-- Serves: the primary key, the moves' key.
update outbox_calls
set state = :state, error = :error, look_due = case when :state = 'accepted' then look_due end, updated_at = :now
where
    id = :id
    and state in ('accepted', 'unknown')
    and exists (select 1 from outbox_moves where from_state = outbox_calls.state and to_state = :state);

-- name: outbox.due_lookups
-- Calls whose provider is to be asked, longest due first. Serves: outbox_calls_by_look.
{lookup}
where look_due <= :now
order by look_due, id
limit :limit;

-- name: outbox.lookups_of_mail
-- Serves: outbox_calls_by_mail.
{lookup}
where outbox_id = :id and state = 'accepted'
order by id;

-- name: outbox.names_in_call
-- The ids of a call's recipients that a lookup may tell more of. Serves: outbox_recipients_by_call.
select provider_message_id from outbox_recipients
where call_id = :call_id and state = 'accepted' and provider_message_id is not null
order by call_id, id;

-- name: outbox.claim_lookup
-- Serves: the primary key.
update outbox_calls set look_due = :until where id = :id;

-- name: outbox.looked
-- Serves: the primary key.
update outbox_calls set looks = looks + 1, look_due = case when state = 'accepted' then :look_due end where id = :id;

-- name: outbox.pause
-- The longer of two pauses holds.
insert into provider_pauses (provider, account, until, reason) values (:provider, :account, :until, :reason)
on conflict (provider, account) do update set until = excluded.until, reason = excluded.reason
where excluded.until > provider_pauses.until;

-- name: outbox.unpause
delete from provider_pauses where provider = :provider and account = :account returning until;

-- name: outbox.wake
-- What waits for the end of a pause that was lifted. Serves: outbox_by_due.
update outbox set due = :due where due = :until and due > :due and state in ('queued', 'unknown');

-- name: outbox.pauses
select provider, account, until, reason from provider_pauses where until > :now order by provider, account;
