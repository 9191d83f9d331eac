-- name: audit.insert
insert into audit_log (at, actor, role, action, target, address, status, request_id)
values (:at, :actor, :role, :action, :target, :address, :status, :request_id);

-- name: audit.page
-- Newest first. Serves: the primary key.
select id, at, actor, role, action, target, address, status, request_id
from audit_log
where id < :before_id
order by id desc
limit :limit;

-- name: audit.page_of_actor
-- Newest first. Serves: audit_log_by_actor.
select id, at, actor, role, action, target, address, status, request_id
from audit_log
where actor = :actor and id < :before_id
order by id desc
limit :limit;

-- name: audit.page_of_action
-- Newest first. Serves: audit_log_by_action.
select id, at, actor, role, action, target, address, status, request_id
from audit_log
where action = :action and id < :before_id
order by id desc
limit :limit;

-- name: audit.page_of_actor_and_action
-- Newest first. Serves: audit_log_by_actor_and_action.
select id, at, actor, role, action, target, address, status, request_id
from audit_log
where actor = :actor and action = :action and id < :before_id
order by id desc
limit :limit;

-- name: audit.last_before
-- The newest entry before :cutoff, or no row; ids ascend with times. Serves: audit_log_by_time.
select id from audit_log where at < :cutoff order by at desc, id desc limit 1;

-- name: audit.last
-- The newest entry's id, 0 where there is none. Serves: the primary key.
select coalesce(max(id), 0) as id from audit_log;

-- name: audit.delete_up_to
-- Ids of the entries that went, oldest first. Serves: the primary key.
delete from audit_log
where id in (select id from audit_log where id <= :id order by id limit :limit)
returning id;
