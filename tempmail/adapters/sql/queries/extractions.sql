-- name: extractions.stale
-- Rows that were read by an extraction below :below, those of the latest version first, then the newest: of what is
-- shown to anybody, the most is right again soon. Serves: messages_by_extraction, read backwards.
select id, r2_object_key as object_key, to_addrs, envelope_from, verification_code
from messages
where extraction_version < :below
order by extraction_version desc, id desc
limit :limit;

-- name: extractions.sharing
-- All rows of one body, by id. Serves: messages_by_object.
select id, to_addrs, envelope_from, verification_code
from messages
where r2_object_key = :object_key
order by id;

-- name: extractions.count_stale
-- Serves: messages_by_extraction, without the rows themselves.
select count(*) as messages from messages where extraction_version < :below;

-- name: extractions.update
update messages
set verification_code = :verification_code, extraction = :extraction, extraction_version = :version
where id = :id and extraction_version < :version;

-- name: extractions.skip
update messages set extraction_version = :version where id = :id and extraction_version < :version;

-- name: extractions.forget
-- The ids of up to :limit rows after :after. Serves: the primary key.
update messages set extraction_version = 0
where id in (select id from messages where id > :after order by id limit :limit)
returning id;
