-- name: rules.version
-- One row, or none before the first change. Serves: the primary key.
select version from versions where name = 'extraction_rules';

-- name: rules.grow_version
insert into versions (name, version) values ('extraction_rules', 1)
on conflict (name) do update set version = versions.version + 1;

-- name: rules.all
-- By id. At most a hundred.
select
    name, kind, pattern, sender, recipient_domain, field, priority, enabled, id, version, created_at, updated_at
from extraction_rules
order by id;

-- name: rules.count
select count(*) as rules from extraction_rules;

-- name: rules.insert
-- The new id.
insert into extraction_rules (
    name, kind, pattern, sender, recipient_domain, field, priority, enabled, version, created_at, updated_at
)
values (:name, :kind, :pattern, :sender, :recipient_domain, :field, :priority, :enabled, 1, :now, :now)
returning id;

-- name: rules.update
-- When it was created, or no row where the version is another.
update extraction_rules
set
    name = :name, kind = :kind, pattern = :pattern, sender = :sender, recipient_domain = :recipient_domain,
    field = :field, priority = :priority, enabled = :enabled, version = version + 1, updated_at = :now
where id = :id and version = :version
returning created_at;

-- name: rules.delete
-- A row if there was one.
delete from extraction_rules where id = :id returning id;
