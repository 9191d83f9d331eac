-- name: forward_targets.find
-- One row or none. Serves: the primary key.
select address, code_hash, code_expires_at, tries_left, asked_at, verified_at
from forward_targets
where address = :address;

-- name: forward_targets.ask
-- One row where a new code may be sent: the address is new, or not verified and not asked since :not_since.
insert into forward_targets (address, code_hash, code_expires_at, tries_left, asked_at)
values (:address, :code_hash, :code_expires_at, :tries, :now)
on conflict (address) do update set
    code_hash = excluded.code_hash, code_expires_at = excluded.code_expires_at, tries_left = excluded.tries_left,
    asked_at = excluded.asked_at
where verified_at is null and asked_at < :not_since
returning address;

-- name: forward_targets.spend
-- The hash to compare with, where a try is left; counts it before it is judged, so that tries at once count each.
update forward_targets set tries_left = tries_left - 1
where address = :address and tries_left > 0 and code_expires_at >= :now
returning code_hash;

-- name: forward_targets.verify
update forward_targets set verified_at = :now, tries_left = 0 where address = :address and verified_at is null;

-- name: forward_targets.forget
-- Addresses that never answered. Serves: forward_targets_unanswered.
delete from forward_targets where verified_at is null and asked_at < :before;
