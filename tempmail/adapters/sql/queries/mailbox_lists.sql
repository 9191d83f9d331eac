-- Lists of mailboxes. Each skips in an index that holds all that the skipping needs; what is listed is read by
-- mailbox_lists.rows.
--
-- `:mask` and `:wanted`: the bits of mailboxes.flags that are asked for, and their values. `:flags_a` to `:flags_d`:
-- the values of flags that fit them, filled up with -1, which none has. `:domain`, `:search` and `:within_a`: '' where
-- any will do. `:search`, `:within_a` to `:within_h`: patterns of LIKE; of the latter an address must fit one.

-- part: with_flags
-- Walks of mailboxes_by_flags, to be merged by their order.
select id from mailboxes where flags = :flags_a
union all
select id from mailboxes where flags = :flags_b
union all
select id from mailboxes where flags = :flags_c
union all
select id from mailboxes where flags = :flags_d

-- part: in_domain_with_flags
-- Walks of mailboxes_by_domain_and_flags, to be merged by their order.
select id from mailboxes where domain = :domain and flags = :flags_a
union all
select id from mailboxes where domain = :domain and flags = :flags_b
union all
select id from mailboxes where domain = :domain and flags = :flags_c
union all
select id from mailboxes where domain = :domain and flags = :flags_d

-- part: unpinned_fits
-- Of the mailboxes joined as `page`, those whose address fits and that the viewer has not pinned.
(:search = '' or address like :search escape '\')
and (
    :within_a = ''
    or address like :within_a escape '\' or address like :within_b escape '\'
    or address like :within_c escape '\' or address like :within_d escape '\'
    or address like :within_e escape '\' or address like :within_f escape '\'
    or address like :within_g escape '\' or address like :within_h escape '\'
)
and page.id not in (select mailbox_id from user_mailboxes where user_id = :user_id and is_pinned = 1)

-- part: link_fits
-- Of user_mailboxes, which has copies of what the filters ask for, those rows whose mailbox fits.
(:domain = '' or mailbox_domain = :domain) and mailbox_flags & :mask = :wanted
and (:search = '' or mailbox_address like :search escape '\')
and (
    :within_a = ''
    or mailbox_address like :within_a escape '\' or mailbox_address like :within_b escape '\'
    or mailbox_address like :within_c escape '\' or mailbox_address like :within_d escape '\'
    or mailbox_address like :within_e escape '\' or mailbox_address like :within_f escape '\'
    or mailbox_address like :within_g escape '\' or mailbox_address like :within_h escape '\'
)

-- name: mailbox_lists.count
-- One row; reads at most eight.
select coalesce(sum(mailboxes), 0) as total from mailbox_counts where flags & :mask = :wanted;

-- name: mailbox_lists.count_in_domain
-- One row; reads at most eight. Serves: the primary key.
select coalesce(sum(mailboxes), 0) as total
from mailbox_counts_by_domain
where domain = :domain and flags & :mask = :wanted;

-- name: mailbox_lists.newest
-- Newest first. Serves: the primary key.
select id from mailboxes where id > 0 order by id desc limit :limit offset :offset;

-- name: mailbox_lists.oldest
-- Oldest first. Serves: the primary key.
select id from mailboxes where id > 0 order by id limit :limit offset :offset;

-- name: mailbox_lists.newest_in_domain
-- Newest first. Serves: mailboxes_by_domain.
select id from mailboxes where domain = :domain order by id desc limit :limit offset :offset;

-- name: mailbox_lists.oldest_in_domain
-- Oldest first. Serves: mailboxes_by_domain.
select id from mailboxes where domain = :domain order by id limit :limit offset :offset;

-- name: mailbox_lists.newest_with_flags
-- Newest first: four walks, merged. Serves: mailboxes_by_flags.
{with_flags}
order by id desc
limit :limit offset :offset;

-- name: mailbox_lists.oldest_with_flags
-- Oldest first: four walks, merged. Serves: mailboxes_by_flags.
{with_flags}
order by id
limit :limit offset :offset;

-- name: mailbox_lists.newest_in_domain_with_flags
-- Newest first: four walks, merged. Serves: mailboxes_by_domain_and_flags.
{in_domain_with_flags}
order by id desc
limit :limit offset :offset;

-- name: mailbox_lists.oldest_in_domain_with_flags
-- Oldest first: four walks, merged. Serves: mailboxes_by_domain_and_flags.
{in_domain_with_flags}
order by id
limit :limit offset :offset;

-- name: mailbox_lists.search
-- Of the newest :depth that fit the filters, those whose address fits and that the viewer has not pinned; newest first,
-- each with how many there are in all. Serves: the primary key, user_mailboxes_by_pin.
select page.id, count(*) over () as total
from (
    select id from mailboxes where id > 0 order by id desc limit :depth
) as page
join mailboxes on mailboxes.id = page.id
where {unpinned_fits}
order by page.id desc
limit :limit offset :offset;

-- name: mailbox_lists.search_in_domain
-- Of the newest :depth that fit the filters, those whose address fits and that the viewer has not pinned; newest first,
-- each with how many there are in all. Serves: mailboxes_by_domain, the primary key, user_mailboxes_by_pin.
select page.id, count(*) over () as total
from (
    select id from mailboxes where domain = :domain order by id desc limit :depth
) as page
join mailboxes on mailboxes.id = page.id
where {unpinned_fits}
order by page.id desc
limit :limit offset :offset;

-- name: mailbox_lists.search_with_flags
-- Of the newest :depth that fit the filters, those whose address fits and that the viewer has not pinned; newest first,
-- each with how many there are in all. Serves: mailboxes_by_flags, the primary key, user_mailboxes_by_pin.
select page.id, count(*) over () as total
from (
    {with_flags}
    order by id desc
    limit :depth
) as page
join mailboxes on mailboxes.id = page.id
where {unpinned_fits}
order by page.id desc
limit :limit offset :offset;

-- name: mailbox_lists.search_in_domain_with_flags
-- Of the newest :depth that fit the filters, those whose address fits and that the viewer has not pinned; newest first,
-- each with how many there are in all. Serves: mailboxes_by_domain_and_flags, the primary key, user_mailboxes_by_pin.
select page.id, count(*) over () as total
from (
    {in_domain_with_flags}
    order by id desc
    limit :depth
) as page
join mailboxes on mailboxes.id = page.id
where {unpinned_fits}
order by page.id desc
limit :limit offset :offset;

-- name: mailbox_lists.search_index
-- The same of the newest :depth mailboxes that :phrases (a query of SQLite's FTS5) finds. Serves: the full-text index,
-- the primary key, user_mailboxes_by_pin.
select page.id, count(*) over () as total
from (
    select rowid as id from mailbox_search where mailbox_search match :phrases order by rowid desc limit :depth
) as page
join mailboxes on mailboxes.id = page.id
where
    (:domain = '' or domain = :domain) and flags & :mask = :wanted
    and {unpinned_fits}
order by page.id desc
limit :limit offset :offset;

-- name: mailbox_lists.named
-- Those of the addresses, in no order; for many rows. Serves: the unique key.
select id
from mailboxes
where
    address in (values (:address))
    and (:domain = '' or domain = :domain) and flags & :mask = :wanted
    and (:search = '' or address like :search escape '\');

-- name: mailbox_lists.pinned
-- What the viewer has pinned, newest first. Serves: user_mailboxes_by_pin.
select mailbox_id as id
from user_mailboxes
where
    user_id = :user_id and is_pinned = 1
    and {link_fits}
order by mailbox_id desc;

-- name: mailbox_lists.own
-- A page of a user's mailboxes that fit, its pins first, then newest first. Serves: user_mailboxes_by_pin.
select mailbox_id as id, is_pinned
from user_mailboxes
where
    user_id = :user_id
    and {link_fits}
order by is_pinned desc, mailbox_id desc
limit :limit offset :offset;

-- name: mailbox_lists.own_matches
-- How many of the first :depth of a user's mailboxes fit. Serves: user_mailboxes_by_pin.
select count(*) as total
from (
    select mailbox_flags, mailbox_domain, mailbox_address
    from user_mailboxes
    where user_id = :user_id
    order by is_pinned desc, mailbox_id desc
    limit :depth
) as page
where {link_fits};

-- name: mailbox_lists.own_page
-- All of a user's mailboxes, in the same order. Serves: user_mailboxes_by_pin.
select mailbox_id as id, is_pinned
from user_mailboxes
where user_id = :user_id
order by is_pinned desc, mailbox_id desc
limit :limit offset :offset;

-- name: mailbox_lists.own_count
-- How many mailboxes the user has; no row where there is no such user. Serves: the primary key.
select mailbox_count as total from users where id = :user_id;

-- name: mailbox_lists.rows
-- What a list shows of the mailboxes; for many rows, in no order. Serves: the primary key.
select
    id, address, created_at, case when coalesce(password_hash, '') = '' then 1 else 0 end as password_is_default,
    coalesce(can_login, 0) as can_login, forward_to, coalesce(is_favorite, 0) as is_favorite
from mailboxes
where id in (values (:id));
