-- name: mail.mailboxes
-- The mailboxes of the addresses, those of them that exist. For many rows. Serves: the unique key.
select id, address, forward_to from mailboxes where address in (values (:address));

-- name: mail.insert
-- The new ids, with the key and the mailbox that tell which is whose. For many rows. Ids grow in commit order, since
-- they are given inside the write transaction.
insert into messages (
    mailbox_id, sender, to_addrs, subject, verification_code, preview, r2_bucket, r2_object_key, received_at, is_read,
    envelope_from, size_bytes, attachment_count, extraction, extraction_version
)
values (
    :mailbox_id, :sender, :to_addrs, :subject, :verification_code, :preview, :bucket, :object_key, :received_at, 0,
    :envelope_from, :size_bytes, :attachment_count, :extraction, :extraction_version
)
returning id, r2_object_key, mailbox_id;

-- name: mail.latest
-- A page of a mailbox's list, newest first. Serves: messages_by_mailbox, read backwards.
select id, sender, to_addrs, subject, received_at, is_read, preview, verification_code
from messages
where mailbox_id = :mailbox_id and id < :before_id and received_at >= :since
order by id desc
limit :limit;

-- name: mail.get
-- One row or none. Serves: the primary keys.
select
    messages.id, mailbox_id, address as mailbox_address, sender, to_addrs, subject, received_at, is_read, preview,
    verification_code, extraction, r2_bucket, r2_object_key, size_bytes, attachment_count, envelope_from,
    extraction_version
from messages
join mailboxes on mailboxes.id = messages.mailbox_id
where messages.id = :id;

-- name: mail.mark_read
update messages set is_read = 1 where id = :id and is_read = 0;

-- name: mail.delete
-- The object key of the row that went, or nothing.
delete from messages where id = :id returning r2_object_key;

-- name: mail.delete_from_mailbox
-- Removes up to :limit rows of a mailbox, oldest first; their object keys. Serves: messages_by_mailbox.
delete from messages
where id in (select id from messages where mailbox_id = :mailbox_id order by id limit :limit)
returning r2_object_key;

-- name: mail.delete_received_before
-- Removes up to :limit of the oldest rows received before :cutoff; their object keys. Serves: messages_by_receipt.
delete from messages
where id in (select id from messages where received_at < :cutoff order by received_at, id limit :limit)
returning r2_object_key;

-- name: mail.shares_object
-- A row if any message still has this body. Serves: messages_by_object.
select 1 as found from messages where r2_object_key = :object_key limit 1;

-- name: mail.object_keys
-- Distinct object keys after :after, in order, each with whether its body is still spooled.
-- Serves: messages_by_object, spool's unique key.
select keys.object_key, spool.id is not null as is_spooled
from (
    select distinct r2_object_key as object_key
    from messages
    where r2_object_key > :after
    order by r2_object_key
    limit :limit
) as keys
left join spool on spool.object_key = keys.object_key
order by keys.object_key;

-- name: mail.knows_object
-- A row if a message, the spool or the delete queue refers to the key. Serves: each table's key.
select 1 as found where
    exists (select 1 from messages where r2_object_key = :object_key)
    or exists (select 1 from spool where object_key = :object_key)
    or exists (select 1 from object_deletes where object_key = :object_key);
