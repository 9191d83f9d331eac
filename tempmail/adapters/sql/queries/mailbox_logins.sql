-- name: mailbox_logins.find
-- One row or none. Serves: the unique key.
select id, address, coalesce(can_login, 0) as can_login, password_hash, session_epoch
from mailboxes
where address = :address;

-- name: mailbox_logins.set_password
-- The row, or none where there is no such mailbox. Serves: the primary key.
update mailboxes
set password_hash = :password_hash, session_epoch = session_epoch + 1
where id = :id
returning id;

-- name: mailbox_logins.change_password
-- The row, or none where the mailbox is gone or :epoch is over. Serves: the primary key.
update mailboxes
set password_hash = :password_hash, session_epoch = session_epoch + 1
where id = :id and session_epoch = :epoch
returning id;

-- name: mailbox_logins.upgrade_password
-- Serves: the primary key.
update mailboxes set password_hash = :new_hash where id = :id and password_hash = :old_hash;

-- name: mailbox_logins.record_login
-- Serves: the primary key.
update mailboxes set last_accessed_at = :now where id = :id;

-- name: mailbox_logins.allow
-- The row, or none where there is no such mailbox. Serves: the primary key.
update mailboxes set can_login = 1 where id = :id returning id;

-- name: mailbox_logins.deny
-- The row, or none where there is no such mailbox. Serves: the primary key.
update mailboxes set can_login = 0, session_epoch = session_epoch + 1 where id = :id returning id;
