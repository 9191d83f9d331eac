-- name: sessions.revoke
insert into revoked_sessions (jti, expires_at) values (:jti, :expires_at)
on conflict (jti) do nothing;

-- name: sessions.forget_expired
-- Serves: revoked_sessions_by_expiry.
delete from revoked_sessions where expires_at < :now;

-- name: sessions.is_revoked
-- A row if so. Serves: the primary key.
select 1 as found from revoked_sessions where jti = :jti;
