-- name: jobs.ensure
-- A recurring job exists from its first start on.
insert into jobs (kind, name, due) values (:kind, :name, :due)
on conflict (kind, name) do nothing;

-- name: jobs.claim
-- The job, if it is due: moves `due` to the end of the lease.
update jobs set due = :until, attempts = attempts + 1
where kind = :kind and name = :name and due <= :now
returning id;

-- name: jobs.finish
update jobs set due = :next_due, attempts = 0, last_error = :error, finished_at = :now
where kind = :kind and name = :name;
