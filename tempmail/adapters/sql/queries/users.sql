-- name: users.find
-- One row or none. Serves: the unique key.
select id, username, role, can_send, mailbox_limit, created_at, password_hash, session_epoch
from users
where username = :username;

-- name: users.get
-- One row or none. Serves: the primary key.
select id, username, role, can_send, mailbox_limit, created_at, password_hash, session_epoch
from users
where id = :id;

-- name: users.insert_admin
-- The new id, or no row where the name is taken.
insert into users (username, role, can_send, mailbox_limit, created_at)
values (:username, 'admin', 1, 9999, :now)
on conflict (username) do nothing
returning id;

-- name: users.insert
-- The new row, or none where the name is taken.
insert into users (username, password_hash, role, mailbox_limit, created_at)
values (:username, :password_hash, :role, :mailbox_limit, :now)
on conflict (username) do nothing
returning id, username, role, can_send, mailbox_limit, created_at, password_hash, session_epoch;

-- name: users.change
-- The id, or no row where there is no such user; a null leaves its column as it is. Fails where the name is taken.
-- Serves: the primary key.
update users
set
    username = coalesce(:username, username),
    password_hash = coalesce(:password_hash, password_hash),
    can_send = coalesce(:can_send, can_send),
    mailbox_limit = coalesce(:mailbox_limit, mailbox_limit),
    session_epoch = session_epoch
    + case when coalesce(:role, role) <> role or coalesce(:password_hash, '') <> '' then 1 else 0 end,
    role = coalesce(:role, role)
where id = :id
returning id;

-- name: users.lock
-- How many mailboxes the user may have and has, or nothing. Changes nothing: it locks the row until the transaction
-- ends, so that of two that link within one limit the second sees what the first did. Serves: the primary key.
update users set mailbox_limit = mailbox_limit where id = :id returning mailbox_limit, mailbox_count;

-- name: users.upgrade_password
-- Nothing happens where the hash is another by now. Serves: the primary key.
update users set password_hash = :new_hash where id = :id and password_hash = :old_hash;

-- name: users.delete
-- The id, or no row; links and tokens go with it. Serves: the primary key, and for what goes with it the unique key of
-- user_mailboxes and api_tokens_by_user.
delete from users where id = :id returning id;

-- name: users.page_newest_first
-- A page by id, downwards. Serves: the primary key.
select id, username, role, mailbox_limit, can_send, created_at, mailbox_count
from users
where id > 0
order by id desc
limit :limit offset :offset;

-- name: users.page_oldest_first
-- The same, upwards. Serves: the primary key.
select id, username, role, mailbox_limit, can_send, created_at, mailbox_count
from users
where id > 0
order by id
limit :limit offset :offset;

-- name: users.totals
-- One row: all users, those with the role admin, and those who may send; reads at most two for each role.
select
    coalesce(sum(users), 0) as total,
    coalesce(sum(case when role = 'admin' then users else 0 end), 0) as admin_count,
    coalesce(sum(case when can_send = 1 then users else 0 end), 0) as active_count
from user_counts;

-- name: users.count
-- One row; reads as many.
select coalesce(sum(users), 0) as users from user_counts;

-- name: users.mailboxes
-- A user's mailboxes, its pins first, then newest first. Serves: user_mailboxes_by_pin, the primary key of mailboxes.
select address, mailboxes.created_at, link.is_pinned, coalesce(can_login, 0) as can_login
from user_mailboxes as link
join mailboxes on mailboxes.id = link.mailbox_id
where link.user_id = :user_id
order by link.is_pinned desc, link.mailbox_id desc
limit :limit;

-- name: users.unassign
-- The id of the link that went, or no row. Serves: the unique key.
delete from user_mailboxes where user_id = :user_id and mailbox_id = :mailbox_id returning id;
