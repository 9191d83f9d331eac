-- name: tokens.count
-- Serves: api_tokens_by_user.
select count(*) as tokens from api_tokens where user_id = :user_id;

-- name: tokens.insert
-- The new id.
insert into api_tokens (user_id, name, secret_hash, actions, mailboxes, created_at, expires_at, for_admin)
values (:user_id, :name, :secret_hash, :actions, :mailboxes, :created_at, :expires_at, :for_admin)
returning id;

-- name: tokens.find
-- The token with its owner, or no row. Serves: the unique key, users' primary key.
select
    api_tokens.id, user_id, name, actions, mailboxes, api_tokens.created_at, expires_at, last_used_at, for_admin,
    username, role, can_send, mailbox_limit, users.created_at as user_created_at, password_hash, session_epoch
from api_tokens
join users on users.id = api_tokens.user_id
where secret_hash = :secret_hash;

-- name: tokens.page
-- Those of every owner, by id. Serves: the primary key.
select id, user_id, name, actions, mailboxes, created_at, expires_at, last_used_at, for_admin
from api_tokens
where id > :after_id
order by id
limit :limit;

-- name: tokens.page_of_user
-- Those of one owner, by id. Serves: api_tokens_by_user.
select id, user_id, name, actions, mailboxes, created_at, expires_at, last_used_at, for_admin
from api_tokens
where user_id = :user_id and id > :after_id
order by id
limit :limit;

-- name: tokens.revoke
-- A row if there was one. Serves: the primary key.
delete from api_tokens where id = :id and (:user_id = 0 or user_id = :user_id) returning id;

-- name: tokens.record_use
-- Serves: the primary key.
update api_tokens set last_used_at = :now where id = :id;
