-- name: spool.insert
-- The entries' ids. For many rows.
insert into spool (object_key, size_bytes, file_name, due) values (:object_key, :size_bytes, :file_name, :due)
returning id, object_key;

-- name: spool.insert_body
-- For many rows.
insert into spool_bodies (spool_id, body) values (:spool_id, :body);

-- name: spool.due
-- Entries that may be claimed, oldest due first. Serves: spool_by_due.
select id, size_bytes from spool where due <= :now order by due, id limit :limit;

-- name: spool.claim
-- The entries, those that are still due: the guard makes two claimers of one entry impossible. For many rows.
-- Serves: the primary key.
update spool set due = :until, attempts = attempts + 1
where id in (values (:id)) and due <= :now
returning id, object_key, size_bytes, file_name, attempts;

-- name: spool.bodies
-- The bytes of entries; no row for those that are in files. For many rows. Serves: the primary key.
select spool_id, body from spool_bodies where spool_id in (values (:spool_id));

-- name: spool.find
-- The entry of a key and its bytes (null where they are in a file). Serves: the unique key.
select object_key, size_bytes, file_name, attempts, body
from spool
left join spool_bodies on spool_bodies.spool_id = spool.id
where object_key = :object_key;

-- name: spool.lease_end
select due from spool where object_key = :object_key;

-- name: spool.delete
-- The entries that went, each with its file name (null where its body was in the database). For many rows.
-- Serves: the unique key.
delete from spool where object_key in (values (:object_key)) returning object_key, file_name;

-- name: spool.retry
update spool set due = :due, last_error = :error where object_key = :object_key;

-- name: spool.size
select count(*) as entries, coalesce(sum(size_bytes), 0) as bytes from spool;

-- name: spool.file_names
select file_name from spool where file_name is not null;

-- name: object_deletes.insert
insert into object_deletes (object_key, due) values (:object_key, :due)
on conflict (object_key) do nothing;

-- name: object_deletes.due
-- Keys that may be claimed, oldest due first. Serves: object_deletes_by_due.
select object_key from object_deletes where due <= :now order by due limit :limit;

-- name: object_deletes.claim
-- The entry, if it is still due.
update object_deletes set due = :until, attempts = attempts + 1
where object_key = :object_key and due <= :now
returning object_key, attempts;

-- name: object_deletes.finish
delete from object_deletes where object_key = :object_key;

-- name: object_deletes.retry
update object_deletes set due = :due, last_error = :error where object_key = :object_key;

-- name: object_deletes.count
select count(*) as entries from object_deletes;
