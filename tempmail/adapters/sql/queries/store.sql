-- name: store.ping
-- One row, always.
select 1 as alive;
