-- Mail to the future.

-- `owner_key`: whose it is, `user:<id>`, `mailbox:<id>` or `root`. `capsule_uuid`: of its setting, null while it is not
-- set. `revision` grows with each change of what it holds. `is_outside`: it goes to an address that is not served here.
-- `due`: when the worker looks at it next; null: never, or when its mail in the outbox is settled.
create table capsules (
    id integer primary key autoincrement,
    uuid text not null unique,
    capsule_uuid text unique,
    status text not null,
    revision integer not null default 1,
    owner_key text not null,
    sender_name text not null,
    sender_address text,
    recipient_user_id integer,
    recipient_name text not null,
    recipient_address text,
    title text not null,
    capsule_style text not null,
    is_encrypted integer not null,
    password_hash text,
    trigger_type text not null,
    trigger_condition text not null,
    is_outside integer not null default 0,
    send_at text,
    set_at text,
    released_at text,
    due text,
    delivered_at text,
    attachment_count integer not null default 0,
    attachment_bytes integer not null default 0,
    has_content integer not null,
    mailbox_id integer,
    outbox_uuid text,
    error text,
    created_at text not null,
    updated_at text not null,
    -- Nothing that is set is ever lost from sight.
    check (due is not null or status not in ('pending', 'delivering') or outbox_uuid is not null)
);

create index capsules_by_owner on capsules (owner_key, status, send_at, id);
create index capsules_by_due on capsules (due, id) where due is not null;
-- Those whose mail to an outside address is under way.
create index capsules_by_outbox on capsules (status, id) where outbox_uuid is not null;
create index capsules_by_recipient on capsules (recipient_user_id, status);
create index capsules_by_mailbox on capsules (mailbox_id);
create index capsules_by_delivery on capsules (delivered_at, id) where delivered_at is not null;

-- Apart from capsules, so that lists and changes of state do not touch it.
create table capsule_contents (
    capsule_id integer primary key references capsules (id) on delete cascade,
    content text not null
);

create table capsule_attachments (
    id integer primary key autoincrement,
    capsule_id integer not null references capsules (id) on delete cascade,
    uuid text not null unique,
    filename text not null,
    content_type text not null,
    size_bytes integer not null,
    created_at text not null
);

create index capsule_attachments_by_capsule on capsule_attachments (capsule_id, id);

-- Apart from capsule_attachments for the same reason.
create table capsule_files (
    attachment_id integer primary key references capsule_attachments (id) on delete cascade,
    body blob not null
);

-- Which capsules an owner has set in a UTC month (`YYYY-MM`); a capsule that is gone still counts.
create table capsule_uses (
    owner_key text not null,
    month text not null,
    capsule_id integer not null,
    primary key (owner_key, month, capsule_id)
);

-- What was answered under an Idempotency-Key.
create table capsule_keys (
    owner_key text not null,
    name text not null,
    request_hash text not null,
    uuid text not null,
    capsule_uuid text not null,
    send_at text not null,
    set_at text not null,
    created_at text not null,
    primary key (owner_key, name)
);

create index capsule_keys_by_creation on capsule_keys (created_at);

-- The moves of domain/capsules.py, which a test holds this list to.
create table capsule_moves (
    from_status text not null,
    to_status text not null,
    primary key (from_status, to_status)
);

insert into capsule_moves (from_status, to_status) values
    ('draft', 'pending'),
    ('pending', 'draft'),
    ('pending', 'delivering'),
    ('delivering', 'delivered'),
    ('delivering', 'failed'),
    ('failed', 'draft');

create trigger capsule_begun before insert on capsules
when new.status <> 'draft'
begin
    select raise(abort, 'a capsule begins as a draft');
end;

create trigger capsule_moved before update of status on capsules
when new.status <> old.status
    and not exists (select 1 from capsule_moves where from_status = old.status and to_status = new.status)
begin
    select raise(abort, 'this capsule cannot move to that state');
end;

-- What a user or a mailbox has not delivered goes with it; what it has delivered, when nobody is left who sees it.
create trigger capsules_of_user after delete on users begin
    delete from capsules
    where recipient_user_id = old.id and mailbox_id is null and status = 'delivered'
        and owner_key <> 'root'
        and not exists (
            select 1 from users
            where users.id = cast(substr(owner_key, 6) as integer) and owner_key = 'user:' || users.id
        )
        and not exists (
            select 1 from mailboxes
            where mailboxes.id = cast(substr(owner_key, 9) as integer) and owner_key = 'mailbox:' || mailboxes.id
        );
    update capsules set recipient_user_id = null where recipient_user_id = old.id;
    delete from capsules
    where owner_key = 'user:' || old.id
        and (status <> 'delivered' or (recipient_user_id is null and mailbox_id is null));
    delete from capsule_uses where owner_key = 'user:' || old.id;
    delete from capsule_keys where owner_key = 'user:' || old.id;
end;

create trigger capsules_of_mailbox after delete on mailboxes begin
    delete from capsules
    where mailbox_id = old.id and recipient_user_id is null and status = 'delivered'
        and owner_key <> 'root'
        and not exists (
            select 1 from users
            where users.id = cast(substr(owner_key, 6) as integer) and owner_key = 'user:' || users.id
        )
        and not exists (
            select 1 from mailboxes
            where mailboxes.id = cast(substr(owner_key, 9) as integer) and owner_key = 'mailbox:' || mailboxes.id
        );
    update capsules set mailbox_id = null where mailbox_id = old.id;
    delete from capsules
    where owner_key = 'mailbox:' || old.id
        and (status <> 'delivered' or (recipient_user_id is null and mailbox_id is null));
    delete from capsule_uses where owner_key = 'mailbox:' || old.id;
    delete from capsule_keys where owner_key = 'mailbox:' || old.id;
end;
