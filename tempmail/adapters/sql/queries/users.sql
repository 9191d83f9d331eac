-- name: users.find
-- One row or none. Serves: the unique key.
select id from users where username = :username;

-- name: users.insert_admin
-- The new id, or no row where the name is taken.
insert into users (username, role, can_send, mailbox_limit, created_at)
values (:username, 'admin', 1, 9999, :now)
on conflict (username) do nothing
returning id;
