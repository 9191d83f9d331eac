-- name: sessions.revoke
insert into revoked_sessions (jti, expires_at) values (:jti, :expires_at)
on conflict (jti) do nothing;

-- name: sessions.forget_expired
-- Serves: revoked_sessions_by_expiry.
delete from revoked_sessions where expires_at < :now;

-- name: sessions.is_revoked
-- A row if so. Serves: the primary key.
select 1 as found from revoked_sessions where jti = :jti;

-- name: sessions.user
-- The account, or no row where it is gone or the session was ended. Serves: both primary keys.
select id, username, role, can_send, mailbox_limit, created_at, password_hash, session_epoch
from users
where id = :user_id and not exists (select 1 from revoked_sessions where jti = :jti);

-- name: sessions.mailbox
-- As sessions.user, for a mailbox login. Serves: both primary keys.
select id, address, coalesce(can_login, 0) as can_login, password_hash, session_epoch
from mailboxes
where id = :mailbox_id and not exists (select 1 from revoked_sessions where jti = :jti);
