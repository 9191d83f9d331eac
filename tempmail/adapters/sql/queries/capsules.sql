-- part: columns
    id, uuid, capsule_uuid, status, revision, owner_key, sender_name, sender_address, recipient_user_id, recipient_name,
    recipient_address, title, capsule_style, is_encrypted, password_hash, trigger_type, trigger_condition, is_outside,
    send_at, set_at, released_at, due, delivered_at, attachment_count, attachment_bytes, has_content, mailbox_id,
    outbox_uuid, error, created_at, updated_at

-- part: to_inbox
select id from capsules where recipient_user_id = :user_id and status = 'delivered'
union
select capsules.id
from user_mailboxes as link
join capsules on capsules.mailbox_id = link.mailbox_id
where link.user_id = :user_id and capsules.status = 'delivered'
union
select id from capsules where mailbox_id = :mailbox_id and status = 'delivered'

-- name: capsules.find
-- One row or none. Serves: the unique key.
select {columns} from capsules where uuid = :uuid;

-- name: capsules.get
-- One row or none. Serves: the primary key.
select {columns} from capsules where id = :id;

-- name: capsules.unsent
-- How many of an owner are not on their way or delivered, and the bytes of their attachments. Serves:
-- capsules_by_owner.
select count(*) as capsules, coalesce(sum(attachment_bytes), 0) as bytes
from capsules
where owner_key = :owner_key and status in ('draft', 'pending', 'failed');

-- name: capsules.insert
-- The new row.
insert into capsules (
    uuid, status, owner_key, sender_name, recipient_user_id, recipient_name, recipient_address, title, capsule_style,
    is_encrypted, password_hash, trigger_type, trigger_condition, has_content, created_at, updated_at
)
values (
    :uuid, 'draft', :owner_key, :sender_name, :recipient_user_id, :recipient_name, :recipient_address, :title,
    :capsule_style, :is_encrypted, :password_hash, 'time', '{}', :has_content, :now, :now
)
returning {columns};

-- name: capsules.put_content
insert into capsule_contents (capsule_id, content) values (:capsule_id, :content)
on conflict (capsule_id) do update set content = excluded.content;

-- name: capsules.content
-- One row or none. Serves: the primary key.
select content from capsule_contents where capsule_id = :capsule_id;

-- name: capsules.change
-- The row as it is then; none where it is no draft any more, or was changed since :revision.
update capsules
set status = 'draft', revision = revision + 1, recipient_user_id = :recipient_user_id,
    recipient_name = :recipient_name, recipient_address = :recipient_address, title = :title,
    capsule_style = :capsule_style, is_encrypted = :is_encrypted, password_hash = :password_hash,
    has_content = :has_content, error = null, updated_at = :now
where id = :id and revision = :revision and status in ('draft', 'failed')
returning {columns};

-- name: capsules.delete
-- The id of the row that went, or nothing.
delete from capsules where id = :id and status in ('draft', 'failed') returning id;

-- name: capsules.attachments
-- Of a capsule, in the order they came. Serves: capsule_attachments_by_capsule.
select uuid, filename, content_type, size_bytes from capsule_attachments where capsule_id = :capsule_id order by id;

-- name: capsules.files
-- The same with their bytes. Serves: capsule_attachments_by_capsule, the primary key.
select uuid, filename, content_type, size_bytes, body
from capsule_attachments
join capsule_files on attachment_id = capsule_attachments.id
where capsule_id = :capsule_id
order by capsule_attachments.id;

-- name: capsules.file
-- One of them, or none. Serves: the unique key.
select uuid, filename, content_type, size_bytes, body
from capsule_attachments
join capsule_files on attachment_id = capsule_attachments.id
where uuid = :uuid and capsule_id = :capsule_id;

-- name: capsules.attach
-- The id of the new row.
insert into capsule_attachments (capsule_id, uuid, filename, content_type, size_bytes, created_at)
values (:capsule_id, :uuid, :filename, :content_type, :size_bytes, :now)
returning id;

-- name: capsules.put_file
insert into capsule_files (attachment_id, body) values (:attachment_id, :body);

-- name: capsules.detach
-- The size of the one that went, or nothing. Serves: the unique key.
delete from capsule_attachments where uuid = :uuid and capsule_id = :capsule_id returning size_bytes;

-- name: capsules.count_attachment
-- The row as it is then; none where it is no draft any more.
update capsules
set status = 'draft', revision = revision + 1, attachment_count = attachment_count + :count,
    attachment_bytes = attachment_bytes + :size_bytes, error = null, updated_at = :now
where id = :id and status in ('draft', 'failed')
returning {columns};

-- name: capsules.set
-- The row as it is then; none where it is no draft any more, or was changed since :revision.
update capsules
set status = 'pending', capsule_uuid = :capsule_uuid, sender_address = :sender_address, trigger_type = :trigger_type,
    trigger_condition = :trigger_condition, is_outside = :is_outside, send_at = :send_at, set_at = :now, due = :due,
    released_at = null, updated_at = :now
where id = :id and revision = :revision and status = 'draft'
returning {columns};

-- name: capsules.use
-- A row where the capsule was not counted in this month before.
insert into capsule_uses (owner_key, month, capsule_id) values (:owner_key, :month, :capsule_id)
on conflict (owner_key, month, capsule_id) do nothing
returning capsule_id;

-- name: capsules.forget_uses
-- Drops what was counted before a month. Serves: the primary key.
delete from capsule_uses where owner_key = :owner_key and month < :month;

-- name: capsules.used
-- How many capsules an owner has set in a month. Serves: the primary key.
select count(*) as capsules from capsule_uses where owner_key = :owner_key and month = :month;

-- name: capsules.key
-- One row or none. Serves: the primary key.
select request_hash, uuid, capsule_uuid, send_at, set_at
from capsule_keys
where owner_key = :owner_key and name = :name and created_at >= :since;

-- name: capsules.put_key
-- An old answer under the same key gives way.
insert into capsule_keys (owner_key, name, request_hash, uuid, capsule_uuid, send_at, set_at, created_at)
values (:owner_key, :name, :request_hash, :uuid, :capsule_uuid, :send_at, :now, :now)
on conflict (owner_key, name) do update
set request_hash = excluded.request_hash, uuid = excluded.uuid, capsule_uuid = excluded.capsule_uuid,
    send_at = excluded.send_at, set_at = excluded.set_at, created_at = excluded.created_at;

-- name: capsules.forget_keys
-- Drops up to :limit old ones. Serves: capsule_keys_by_creation, the primary key.
delete from capsule_keys
where (owner_key, name) in (
    select owner_key, name from capsule_keys where created_at < :before order by created_at limit :limit
);

-- name: capsules.revoke
-- The row as it is then; none where it is not pending any more.
update capsules
set status = 'draft', capsule_uuid = null, sender_address = null, is_outside = 0, send_at = null, set_at = null,
    released_at = null, due = null, updated_at = :now
where id = :id and status = 'pending'
returning {columns};

-- name: capsules.release
-- The row as it is then; none where it is not pending any more, or was set anew.
update capsules
set released_at = :now, due = :now, updated_at = :now
where id = :id and status = 'pending' and capsule_uuid = :capsule_uuid
returning {columns};

-- name: capsules.own
-- A page of an owner's capsules in up to four states: by their time, those without one by id. Serves:
-- capsules_by_owner; only the owner's own are sorted.
select {columns}
from capsules
where owner_key = :owner_key and status in (:status_a, :status_b, :status_c, :status_d, :status_e)
order by send_at, id
limit :limit offset :offset;

-- name: capsules.own_total
-- Serves: capsules_by_owner.
select count(*) as total
from capsules
where owner_key = :owner_key and status in (:status_a, :status_b, :status_c, :status_d, :status_e);

-- name: capsules.inbox
-- A page of what was delivered to a user, to the mailboxes linked to it, or to a mailbox: the latest first. Serves:
-- capsules_by_recipient, the unique key of user_mailboxes, capsules_by_mailbox; only the caller's own are sorted.
select {columns}
from capsules
where id in ({to_inbox})
order by delivered_at desc, id desc
limit :limit offset :offset;

-- name: capsules.inbox_total
-- Serves: as capsules.inbox.
select count(*) as total from ({to_inbox}) as found;

-- name: capsules.due
-- Up to :limit that are due, the longest due first. Serves: capsules_by_due.
select {columns} from capsules where due <= :now order by due, id limit :limit;

-- name: capsules.freeze
-- A row where it was pending in this very setting, and its time has come. Serves: the primary key.
update capsules
set status = 'delivering', due = coalesce(released_at, send_at), updated_at = :now
where id = :id and status = 'pending' and capsule_uuid = :capsule_uuid and due <= :now
returning {columns};

-- name: capsules.hand_over
-- Likewise, for one whose mail is in the outbox then. Serves: the primary key.
update capsules
set status = 'delivering', due = null, outbox_uuid = :outbox_uuid, updated_at = :now
where id = :id and status = 'pending' and capsule_uuid = :capsule_uuid and due <= :now
returning {columns};

-- name: capsules.deliver
-- A row where it was being delivered in this very setting, and its time has come. Serves: the primary key.
update capsules
set status = 'delivered', due = null, delivered_at = :now, updated_at = :now, error = null
where id = :id and status = 'delivering' and capsule_uuid = :capsule_uuid and due <= :now
returning id;

-- name: capsules.forget_delivered
-- The ids of up to :limit that were delivered before a time, the oldest. Serves: capsules_by_delivery, the primary key.
delete from capsules
where id in (select id from capsules where delivered_at < :before order by delivered_at, id limit :limit)
returning id;

-- name: capsules.put_into
-- Serves: the primary key.
update capsules set mailbox_id = :mailbox_id where id = :id;

-- name: capsules.fail
-- A row where it was being delivered in this very setting. Serves: the primary key.
update capsules
set status = 'failed', due = null, capsule_uuid = null, sender_address = null, is_outside = 0, outbox_uuid = null,
    send_at = null, set_at = null, released_at = null, error = :error, updated_at = :now
where id = :id and status = 'delivering' and capsule_uuid = :capsule_uuid
returning id;

-- name: capsules.put_off
-- Serves: the primary key.
update capsules set due = :due, error = :error
where id = :id and capsule_uuid = :capsule_uuid and due is not null and status in ('pending', 'delivering');

-- name: capsules.settled
-- Up to :limit whose mail to an outside address has come to an end. Serves: capsules_by_outbox, outbox's unique key.
select capsules.id, capsules.capsule_uuid, outbox.state, outbox.error
from capsules
join outbox on outbox.uuid = capsules.outbox_uuid
where capsules.status = 'delivering'
    and capsules.outbox_uuid is not null
    and outbox.state in ('accepted', 'delivered', 'failed', 'bounced', 'canceled')
order by capsules.id
limit :limit;

-- name: capsules.sent
-- As capsules.deliver, for one whose mail went out. Serves: the primary key.
update capsules
set status = 'delivered', delivered_at = :now, updated_at = :now, error = null
where id = :id and status = 'delivering' and capsule_uuid = :capsule_uuid
returning id;
