-- name: mailboxes.find
-- One row or none. Serves: the unique key.
select id, address, created_at, expires_at, can_login, is_favorite, forward_to
from mailboxes
where address = :address;

-- name: mailboxes.resolve
-- The mailboxes named :exact and :alias, those of them that exist. Serves: the unique key.
select id, address, created_at, expires_at, can_login, is_favorite, forward_to
from mailboxes
where address = :exact or address = :alias;

-- name: mailboxes.insert
-- The new row, or none where the address exists already.
insert into mailboxes (address, local_part, domain, created_at, last_accessed_at, expires_at)
values (:address, :local_part, :domain, :now, :now, :expires_at)
on conflict (address) do nothing
returning id, address, created_at, expires_at, can_login, is_favorite, forward_to;

-- name: mailboxes.link
-- Access, pin and quota are all one row of user_mailboxes.
insert into user_mailboxes (user_id, mailbox_id, created_at) values (:user_id, :mailbox_id, :now)
on conflict (user_id, mailbox_id) do nothing;

-- name: mailboxes.is_linked
-- A row if so. Serves: the unique key.
select 1 as found from user_mailboxes where user_id = :user_id and mailbox_id = :mailbox_id;

-- name: mailboxes.page
-- A page of what the viewer may see: the viewer's pins first, then newest first.
select
    mailboxes.id, address, mailboxes.created_at, coalesce(link.is_pinned, 0) as is_pinned,
    case when coalesce(password_hash, '') = '' then 1 else 0 end as password_is_default,
    coalesce(can_login, 0) as can_login, forward_to, coalesce(is_favorite, 0) as is_favorite
from mailboxes
left join user_mailboxes as link on link.mailbox_id = mailboxes.id and link.user_id = :viewer_id
where
    (:owned_only = 0 or link.id is not null)
    and (:search = '' or address like :search escape '\')
    and (:domain = '' or domain = :domain)
    and (:can_login < 0 or coalesce(can_login, 0) = :can_login)
    and (:is_favorite < 0 or coalesce(is_favorite, 0) = :is_favorite)
    and (:has_forward < 0 or case when coalesce(forward_to, '') = '' then 0 else 1 end = :has_forward)
order by coalesce(link.is_pinned, 0) desc, mailboxes.created_at desc, mailboxes.id desc
limit :limit offset :offset;

-- name: mailboxes.count
-- How many rows mailboxes.page has over all pages.
select count(*) as total
from mailboxes
left join user_mailboxes as link on link.mailbox_id = mailboxes.id and link.user_id = :viewer_id
where
    (:owned_only = 0 or link.id is not null)
    and (:search = '' or address like :search escape '\')
    and (:domain = '' or domain = :domain)
    and (:can_login < 0 or coalesce(can_login, 0) = :can_login)
    and (:is_favorite < 0 or coalesce(is_favorite, 0) = :is_favorite)
    and (:has_forward < 0 or case when coalesce(forward_to, '') = '' then 0 else 1 end = :has_forward);

-- name: mailboxes.delete
-- The row that went, or nothing; its messages must be gone.
delete from mailboxes where id = :id returning id;

-- name: mailboxes.expired
-- Ids of mailboxes whose time is over, the longest over first. Serves: mailboxes_by_expiry.
select id from mailboxes where expires_at <= :now order by expires_at limit :limit;
