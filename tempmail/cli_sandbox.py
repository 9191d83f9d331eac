"""`tempmail sandbox`: accounts at the imitations of sending providers."""

import argparse
import json
import sys
from collections.abc import Sequence

from tempmail.errors import BadRequest
from tempmail.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from tempmail.domain.sandbox_providers import PROVIDERS

    verbs = parser.add_subparsers(metavar="VERB", required=True, title="verbs")
    add = _verb(verbs, "add", "make a credential, and print how an app uses it: it is shown this once", _add)
    add.add_argument("provider", choices=tuple(PROVIDERS))
    add.add_argument("--name", default="", help="what it is for")
    add.add_argument(
        "--mailbox", default="", metavar="ADDRESS", help="where mail for outside addresses goes (a new one)"
    )
    add.add_argument(
        "--value",
        action="append",
        default=[],
        metavar="FIELD=TEXT",
        help="a part of the credential that is to be as given, such as key=re_123456789 (repeatable)",
    )
    _change_arguments(add)
    add.add_argument("--url", default="", help="how the app reaches this server (http:// and HTTP_BIND)")
    add.add_argument("--json", action="store_true", help="print JSON")
    listing = _verb(verbs, "list", "list credentials, without their secrets", _list)
    listing.add_argument("provider", nargs="?", choices=tuple(PROVIDERS))
    listing.add_argument("--json", action="store_true", help="print one JSON object per line")
    change = _verb(verbs, "set", "change switches or the webhook of a credential", _change)
    change.add_argument("provider", choices=tuple(PROVIDERS))
    change.add_argument("id", type=int)
    _change_arguments(change)
    remove = _verb(verbs, "remove", "remove a credential; captured mail stays", _remove)
    remove.add_argument("provider", choices=tuple(PROVIDERS))
    remove.add_argument("id", type=int)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run the verb that was asked for; 0. Raises `TempmailError`."""
    args.verb(args, settings)
    return 0


def _verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str, run_verb: object
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False)
    parser.set_defaults(verb=run_verb)
    return parser


def _change_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--switch",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a fault, a limit or a strictness, such as fault=429 (repeatable; see docs/sandboxes.md)",
    )
    parser.add_argument("--webhook", metavar="URL", help='where events are posted; "" for nowhere')


def _pairs(given: Sequence[str], option: str) -> dict[str, str]:
    pairs = {}
    for pair in given:
        name, is_pair, value = pair.partition("=")
        if not is_pair:
            raise BadRequest(f"{option}: NAME=VALUE is expected, not {pair}")
        pairs[name.strip()] = value.strip()
    return pairs


def _switches(args: argparse.Namespace) -> dict[str, object]:
    """As JSON would have them: numbers and truth values where the switch is one."""
    from tempmail.domain.sandbox_providers import provider_named

    kinds = {switch.name: type(switch.default) for switch in provider_named(args.provider).all_switches}
    read: dict[str, object] = {}
    for name, value in _pairs(args.switch, "--switch").items():
        kind = kinds.get(name, str)
        if kind is bool and value.lower() in ("true", "false"):
            read[name] = value.lower() == "true"
        elif kind is int and value.isascii() and value.isdigit() and len(value) < 12:
            read[name] = int(value)
        else:
            read[name] = value
    return read


def _add(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.domain.sandbox_providers import provider_named
    from tempmail.runtime.sandbox_credentials import add

    made = add(
        settings,
        args.provider,
        name=args.name,
        mailbox=args.mailbox,
        values=_pairs(args.value, "--value"),
        switches=_switches(args),
        webhook_url=args.webhook or "",
    )
    base = f"{(args.url or f'http://{settings.http_bind}').rstrip('/')}/sandbox/{args.provider}"
    lines = provider_named(args.provider).usage_lines(base, made.values)
    if args.json:
        shown = {
            "id": made.credential.id,
            "provider": args.provider,
            "mailbox": made.credential.mailbox,
            "values": dict(made.values),
            "webhook_secret": made.webhook_secret,
            "base_url": base,
            "usage": lines,
        }
        print(json.dumps(shown, ensure_ascii=False))
        return
    print(*lines, sep="\n")
    if made.webhook_secret is not None:
        print(f"{args.provider.upper()}_WEBHOOK_SECRET={made.webhook_secret}   # events are signed with it")
    print(
        f"tempmail: credential {made.credential.id}; mail for outside addresses goes to {made.credential.mailbox}",
        file=sys.stderr,
    )


def _list(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.sandbox_credentials import listed

    for each in listed(settings, args.provider):
        if args.json:
            shown = {
                "id": each.id,
                "provider": each.provider,
                "name": each.name,
                "mailbox": each.mailbox,
                "switches": dict(each.switches),
                "webhook_url": each.webhook_url,
                "created_at": each.created_at,
            }
            print(json.dumps(shown, ensure_ascii=False))
        else:
            print(each.id, each.provider, each.name or "-", each.mailbox, each.webhook_url or "-", sep="\t")


def _change(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.sandbox_credentials import change

    switches = _switches(args)
    if not switches and args.webhook is None:
        raise BadRequest("nothing to change: see tempmail sandbox set --help")
    changed = change(settings, args.provider, args.id, switches=switches or None, webhook_url=args.webhook)
    if changed.webhook_secret is not None:
        print(f"{args.provider.upper()}_WEBHOOK_SECRET={changed.webhook_secret}   # events are signed with it")


def _remove(args: argparse.Namespace, settings: Settings) -> None:
    from tempmail.runtime.sandbox_credentials import remove

    remove(settings, args.provider, args.id)
