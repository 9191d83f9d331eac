-- name: mailboxes.find
-- One row or none. Serves: the unique key.
select id, address, created_at, expires_at, can_login, is_favorite, forward_to
from mailboxes
where address = :address;

-- name: mailboxes.get
-- One row or none. Serves: the primary key.
select id, address, created_at, expires_at, can_login, is_favorite, forward_to
from mailboxes
where id = :id;

-- name: mailboxes.resolve
-- The mailboxes named :exact and :alias, those of them that exist. Serves: the unique key.
select id, address, created_at, expires_at, can_login, is_favorite, forward_to
from mailboxes
where address = :exact or address = :alias;

-- name: mailboxes.insert
-- The new row, or none where the address exists already.
insert into mailboxes (address, local_part, domain, created_at, last_accessed_at, expires_at)
values (:address, :local_part, :domain, :now, :now, :expires_at)
on conflict (address) do nothing
returning id, address, created_at, expires_at, can_login, is_favorite, forward_to;

-- name: mailboxes.link
-- Access, pin and quota are all one row of user_mailboxes.
insert into user_mailboxes (user_id, mailbox_id, created_at) values (:user_id, :mailbox_id, :now)
on conflict (user_id, mailbox_id) do nothing;

-- name: mailboxes.lock_without_login
-- The id of a mailbox that nobody may log in to, or nothing. Changes nothing: it locks the row until the transaction
-- ends, so that two claims follow one another. Serves: the unique key.
update mailboxes set can_login = can_login
where address = :address and coalesce(can_login, 0) = 0
returning id;

-- name: mailboxes.has_owner
-- A row if anybody is linked to it. Serves: user_mailboxes_by_mailbox.
select 1 as found from user_mailboxes where mailbox_id = :mailbox_id limit 1;

-- name: mailboxes.toggle_pin
-- Whether the user's link is pinned now; nothing where there is no link. Serves: the unique key.
update user_mailboxes
set is_pinned = case when is_pinned = 0 then 1 else 0 end
where user_id = :user_id and mailbox_id = :mailbox_id
returning is_pinned;

-- name: mailboxes.link_pinned
-- A pinned link; nothing where the user or the mailbox is gone. Serves: the primary keys.
insert into user_mailboxes (user_id, mailbox_id, created_at, is_pinned)
select users.id, mailboxes.id, :now, 1
from users
join mailboxes on mailboxes.id = :mailbox_id
where users.id = :user_id
on conflict (user_id, mailbox_id) do update set is_pinned = 1
returning is_pinned;

-- name: mailboxes.toggle_favorite
-- Whether it is a favourite now; nothing where it is gone. Serves: the primary key.
update mailboxes
set is_favorite = case when coalesce(is_favorite, 0) = 0 then 1 else 0 end
where id = :id
returning is_favorite;

-- name: mailboxes.set_favorite
-- A row if there is such a mailbox. Serves: the primary key.
update mailboxes set is_favorite = :is_favorite where id = :id returning id;

-- name: mailboxes.set_forward
-- A row if there is such a mailbox. Serves: the primary key.
update mailboxes set forward_to = :forward_to where id = :id returning id;

-- name: mailboxes.is_linked
-- A row if so. Serves: the unique key.
select 1 as found from user_mailboxes where user_id = :user_id and mailbox_id = :mailbox_id;

-- name: mailboxes.total
-- One row: how many there are; reads at most eight.
select coalesce(sum(mailboxes), 0) as total from mailbox_counts;

-- name: mailboxes.delete
-- The row that went, or nothing; its messages must be gone.
delete from mailboxes where id = :id returning id;

-- name: mailboxes.expired
-- Ids of mailboxes whose time is over, the longest over first. Serves: mailboxes_by_expiry.
select id from mailboxes where expires_at <= :now order by expires_at limit :limit;
