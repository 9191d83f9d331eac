"""`tempmail user`, `tempmail mailbox` and `tempmail token`: what admins do over HTTP, without it."""

import argparse
import getpass
import sys

from tempmail.cli_english import in_english
from tempmail.cli_verbs import Run, add_verb, print_rows, verbs_of
from tempmail.errors import BadRequest, Permanent
from tempmail.settings import Settings


def add_user_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = verbs_of(parser)
    add_verb(verbs, "list", "list users, oldest first", _list_users, as_json=True)
    add = add_verb(verbs, "add", "create a user", _add_user)
    add.add_argument("name")
    add.add_argument("--admin", action="store_true", help="with the role admin")
    add.add_argument("--limit", type=int, metavar="N", help="how many mailboxes it may have (10)")
    add.add_argument("--can-send", action="store_true", help="may send mail")
    _password_options(add)
    change = add_verb(verbs, "set", "change a user", _change_user)
    change.add_argument("name")
    change.add_argument("--rename", metavar="NAME")
    change.add_argument("--role", choices=("admin", "user"))
    change.add_argument("--limit", type=int, metavar="N", help="how many mailboxes it may have")
    change.add_argument("--can-send", choices=("yes", "no"))
    _password_options(change)
    add_verb(verbs, "delete", "delete a user; its mailboxes stay", _delete_user).add_argument("name")
    for name, summary, run_verb in (
        ("assign", "link mailboxes to a user; missing ones are created", _assign),
        ("unassign", "take mailboxes away from a user", _unassign),
    ):
        verb = add_verb(verbs, name, summary, run_verb)
        verb.add_argument("name")
        verb.add_argument("addresses", nargs="+", metavar="ADDRESS")


def add_mailbox_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = verbs_of(parser)
    listing = add_verb(verbs, "list", "list mailboxes, newest first", _list_mailboxes, as_json=True)
    listing.add_argument("--search", metavar="TEXT", help="only addresses with this in them")
    listing.add_argument("--domain", help="only this domain")
    listing.add_argument("--limit", type=int, default=100, metavar="N", help="at most so many (100)")
    add = add_verb(verbs, "add", "create a mailbox, and print its address", _add_mailbox)
    add.add_argument("address", nargs="?", help="a random one where it is left out")
    add.add_argument("--owner", metavar="USER", help="link it to this user")
    add_verb(verbs, "delete", "delete a mailbox with all its mail", _delete_mailbox).add_argument("address")
    login = add_verb(verbs, "login", "allow or deny that a mailbox logs in", _allow_login)
    login.add_argument("address")
    login.add_argument("decision", choices=("allow", "deny"))
    password = add_verb(verbs, "password", "set a mailbox's password", _mailbox_password)
    password.add_argument("address")
    password.add_argument("--reset", action="store_true", help="make its address its password again")
    _password_options(password)


def add_token_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = verbs_of(parser)
    add_verb(verbs, "list", "list everybody's API tokens", _list_tokens, as_json=True)
    add = add_verb(verbs, "add", "make an API token, and print it: it is shown this once", _add_token)
    add.add_argument("name", help="what it is for")
    add.add_argument("--user", metavar="NAME", help="its owner (the configured admin)")
    add.add_argument(
        "--action",
        action="append",
        required=True,
        metavar="PATTERN",
        help="what it may do, such as mail.* (repeatable)",
    )
    add.add_argument(
        "--mailbox",
        action="append",
        default=[],
        metavar="PATTERN",
        help="on which mailboxes, such as qa-*@example.com (all; repeatable)",
    )
    add.add_argument("--days", type=int, metavar="N", help="days until it expires (never)")
    add_verb(verbs, "revoke", "revoke an API token", _revoke_token).add_argument("id", type=int)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run the verb that was asked for; 0. Raises `TempmailError`, of a refusal `BadRequest`, with a text in English."""
    verb: Run = args.verb
    try:
        verb(args, settings)
    except Permanent as exc:
        raise BadRequest(in_english(str(exc))) from exc
    return 0


def _password_options(parser: argparse.ArgumentParser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--password", action="store_true", help="ask for a password on the terminal")
    how.add_argument("--password-stdin", action="store_true", help="read the password from standard input")


def _password(args: argparse.Namespace) -> str | None:
    """The password as given, None where none was asked for. Never an argument: those show in process lists."""
    if args.password_stdin:
        given = sys.stdin.readline().strip()
    elif args.password:
        try:
            given, again = getpass.getpass("Password: ").strip(), getpass.getpass("Again: ").strip()
        except EOFError as exc:
            raise BadRequest("no password was typed; --password-stdin reads it from a pipe") from exc
        if again != given:
            raise BadRequest("the two passwords differ")
    else:
        return None
    if not given:
        raise BadRequest("the password is empty")
    return given


def _list_users(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.accounts import list_users

    print_rows(list_users(settings), ("id", "username", "role", "mailbox_count", "mailbox_limit", "can_send"), args)


def _add_user(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.accounts import add_user
    from tempmail.services.users import UserDraft

    password = _password(args)
    draft = UserDraft(args.name, password or "", "admin" if args.admin else "user", args.limit)
    add_user(settings, draft, can_send=args.can_send)
    if password is None:
        print("tempmail: without a password it cannot log in; an API token works", file=sys.stderr)


def _change_user(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.accounts import change_user
    from tempmail.services.users import UserEdit

    can_send = None if args.can_send is None else args.can_send == "yes"
    edit = UserEdit(args.rename, _password(args), args.role, can_send, args.limit)
    if edit == UserEdit():
        raise BadRequest("nothing to change: see tempmail user set --help")
    change_user(settings, args.name, edit)


def _delete_user(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.accounts import delete_user

    delete_user(settings, args.name)


def _assign(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.accounts import assign_mailboxes

    assign_mailboxes(settings, args.name, args.addresses)


def _unassign(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.accounts import unassign_mailboxes

    unassign_mailboxes(settings, args.name, args.addresses)


def _list_mailboxes(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.domain.messages import MailboxFilter
    from tempmail.runtime.accounts import list_mailboxes

    criteria = MailboxFilter(search=(args.search or "").lower() or None, domain=(args.domain or "").lower() or None)
    listed = list_mailboxes(settings, criteria, limit=args.limit)
    print_rows(listed, ("id", "address", "created_at", "can_login", "is_favorite", "forward_to"), args)


def _add_mailbox(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.accounts import add_mailbox

    print(add_mailbox(settings, args.address, owner=args.owner))


def _delete_mailbox(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.accounts import delete_mailbox

    delete_mailbox(settings, args.address)


def _allow_login(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.accounts import allow_login

    allow_login(settings, args.address, can_login=args.decision == "allow")


def _mailbox_password(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.accounts import set_mailbox_password

    password = _password(args)
    if (password is None) is not args.reset:
        raise BadRequest("say one of --password, --password-stdin and --reset")
    set_mailbox_password(settings, args.address, password)


def _list_tokens(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.accounts import list_tokens

    print_rows(
        list_tokens(settings), ("id", "user_id", "name", "actions", "mailboxes", "expires_at", "last_used_at"), args
    )


def _add_token(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.accounts import add_token

    made = add_token(
        settings, username=args.user, name=args.name, actions=args.action, mailboxes=args.mailbox, days=args.days
    )
    print(made.secret)


def _revoke_token(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.accounts import revoke_token

    revoke_token(settings, args.id)
