"""`tempmail outbox`: what admins do to mail that goes out over HTTP, without it."""

import argparse
import dataclasses
import json
import sys

from tempmail.cli_english import in_english
from tempmail.cli_verbs import Run, add_verb, cell, print_rows, verbs_of
from tempmail.settings import Settings

_COLUMNS = ("id", "uuid", "kind", "state", "provider", "from_addr", "created_at", "due", "subject", "error")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = verbs_of(parser)
    listing = add_verb(verbs, "list", "list mail that goes out, newest first", _list, as_json=True)
    listing.add_argument("--state", help="only those in this state, such as unknown")
    listing.add_argument("--kind", help="only send, forward or capsule")
    listing.add_argument("--before", type=int, metavar="ID", help="only older ones than this")
    listing.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (50)")
    show = add_verb(verbs, "show", "show one mail, its recipients and every request to a provider", _show)
    show.add_argument("--json", action="store_true", help="print JSON")
    _name(show)
    _name(add_verb(verbs, "retry", "send again what failed or is unknown; what is unknown may arrive twice", _retry))
    _name(add_verb(verbs, "cancel", "take back a mail that waits", _cancel))
    resolve = add_verb(verbs, "resolve", "settle what is unknown, as you found it out; nothing is sent", _resolve)
    _name(resolve)
    resolve.add_argument("state", choices=("accepted", "failed"), help="accepted: the provider has sent it")
    providers = add_verb(verbs, "providers", "list the accounts that mail is sent with", _providers)
    providers.add_argument("--usage", action="store_true", help="ask each for its quota or balance")
    providers.add_argument("--json", action="store_true", help="print one JSON object per line")
    unpause = add_verb(verbs, "unpause", "use an account again, also for what waits for it", _unpause)
    unpause.add_argument("provider")
    unpause.add_argument("account")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run the verb that was asked for; 0. Raises `TempmailError`."""
    verb: Run = args.verb
    verb(args, settings)
    return 0


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("mail", help="its id, its uuid, or the provider's id")


def _list(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.outbox import list_mails

    rows = list_mails(settings, state=args.state, kind=args.kind, before_id=args.before, limit=args.limit)
    print_rows(rows, _COLUMNS, args)


def _show(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.outbox import show_mail

    shown = show_mail(settings, args.mail)
    if args.json:
        print(json.dumps(shown, ensure_ascii=False))
        return
    for name, value in shown.items():
        if not isinstance(value, list):
            print(f"{name}\t{cell(value)}")
    for part in ("recipients", "calls"):
        for row in shown[part]:
            print("\t".join([part.removesuffix("s"), *(cell(value) for value in row.values())]))


def _retry(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.outbox import retry_mail

    retry_mail(settings, args.mail)
    print("tempmail: queued; a running server sends it", file=sys.stderr)


def _cancel(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.outbox import cancel_mail

    cancel_mail(settings, args.mail)


def _resolve(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.outbox import resolve_mail

    resolve_mail(settings, args.mail, args.state)


def _providers(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.outbox import list_providers

    for status in list_providers(settings, with_usage=args.usage):
        if args.json:
            print(json.dumps(dataclasses.asdict(status), ensure_ascii=False))
            continue
        account, pause = status.account, status.pause
        senders = (*account.domains, *account.addresses, *(("*",) if account.for_all else ()))
        held = "-" if pause is None else f"paused until {pause.until}: {pause.reason}"
        told = (
            in_english(status.usage_error or "-")
            if status.usage is None
            else json.dumps(dict(status.usage), ensure_ascii=False)
        )
        columns = [account.provider, account.account, cell(senders), held, *([cell(told)] if args.usage else [])]
        print("\t".join(columns))


def _unpause(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.outbox import unpause_account

    unpause_account(settings, args.provider, args.account)
