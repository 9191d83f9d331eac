-- name: send_keys.insert
-- A row if the key is new.
insert into send_keys (owner, name, request_hash, uuids, created_at)
values (:owner, :name, :request_hash, :uuids, :now)
on conflict (owner, name) do nothing
returning name;

-- name: send_keys.find
-- The request of a key, or no row. Serves: the primary key.
select request_hash, uuids from send_keys where owner = :owner and name = :name;

-- name: send_keys.forget
-- Drops up to :limit of those made before :before, oldest first. Serves: send_keys_by_time, the primary key.
delete from send_keys
where (owner, name) in (
    select owner, name from send_keys where created_at < :before order by created_at limit :limit
);
