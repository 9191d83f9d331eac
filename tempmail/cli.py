"""The command line: one table of commands, and what they all share.

Exit codes: 0 done, 1 the command failed, 2 wrong usage or unusable settings, 130 interrupted. Data goes to standard
output, everything else to standard error; a fault is one line that says what is wrong and what to do.
"""

import argparse
import enum
import io
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tempmail import cli_accounts, cli_outbox, cli_sandbox, setting_docs, setting_sources
from tempmail.errors import ConfigError, TempmailError
from tempmail.settings import Settings

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141  # what a shell reports for a process that SIGPIPE ended


class Needs(enum.Enum):
    """What a command needs of an installation."""

    NOTHING = "it gets the defaults, and a faulty environment does not stop it"
    SETTINGS = "it gets what the environment and --config give"
    SECRETS = "as SETTINGS, after the secrets that nobody gave were made; args.created_secrets holds those"


def _no_arguments(_: argparse.ArgumentParser) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand.

    `run(args, settings)` returns the exit code. Besides its own arguments, `args` holds `config` (Path | None) and,
    unless it needs nothing, `loaded` (`setting_sources.Loaded`). `run` imports what is heavy by itself, so that no
    other command waits for it. It may raise any `TempmailError`.
    """

    name: str
    summary: str
    run: Callable[[argparse.Namespace, Settings], int]
    add_arguments: Callable[[argparse.ArgumentParser], None] = _no_arguments
    needs: Needs = Needs.SETTINGS


def _config_arguments(parser: argparse.ArgumentParser) -> None:
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--docs", action="store_true", help="print docs/settings.md instead")


def _config(args: argparse.Namespace, _: Settings) -> int:
    """Every variable with its value and source."""
    loaded: setting_sources.Loaded = args.loaded
    if args.docs:
        print(setting_docs.markdown(), end="")
    elif args.json:
        print(json.dumps(setting_docs.document(loaded), ensure_ascii=False, indent=2))
    else:
        print(setting_docs.table(loaded))
        for notice in loaded.notices:
            print(f"tempmail: {notice}", file=sys.stderr)
    return EXIT_DONE


def _serve(args: argparse.Namespace, settings: Settings) -> int:
    """Run the server until it is stopped."""
    from tempmail.runtime.serve import serve

    for notice in args.loaded.notices:
        print(f"tempmail: {notice}", file=sys.stderr)
    return serve(settings, args.created_secrets)


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fix", action="store_true", help="queue objects that no message refers to for removal")
    parser.add_argument("--json", action="store_true", help="print one JSON object per fault, then the totals")


def _verify(args: argparse.Namespace, settings: Settings) -> int:
    """0 where rows and objects agree (or all was mended), 1 where they do not."""
    from tempmail.runtime.maintenance import verify

    return EXIT_DONE if verify(settings, fix=args.fix, as_json=args.json) else EXIT_FAILED


def _retention_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _retention(args: argparse.Namespace, settings: Settings) -> int:
    from tempmail.runtime.maintenance import retain

    retain(settings, as_json=args.json)
    return EXIT_DONE


def _reextract_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="also what is up to date")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _reextract(args: argparse.Namespace, settings: Settings) -> int:
    from tempmail.runtime.maintenance import reextract

    reextract(settings, everything=args.all, as_json=args.json)
    return EXIT_DONE


def _extract_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="a raw mail; - for standard input")
    parser.add_argument("--json", action="store_true", help="print one JSON object per file")


def _extract(args: argparse.Namespace, _: Settings) -> int:
    """0 where every file was read, whatever was found; 1 where one could not be."""
    from tempmail.domain.explain import explain

    code = EXIT_DONE
    for position, name in enumerate(args.files):
        try:
            raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        except OSError as exc:
            print(f"tempmail: {name} cannot be read: {exc.strerror}", file=sys.stderr)
            code = EXIT_FAILED
            continue
        explained = explain(raw)
        if args.json:
            print(json.dumps({"file": name, **explained.as_dict()}, ensure_ascii=False))
            continue
        if len(args.files) > 1:
            print(*([""] if position else []), f"== {name}", "", sep="\n")
        print(*explained.lines(), sep="\n")
    return code


def _openapi(_: argparse.Namespace, __: Settings) -> int:
    from tempmail import __version__
    from tempmail.web.endpoints import ALL
    from tempmail.web.openapi import describe

    print(json.dumps(describe(ALL, version=__version__), ensure_ascii=False, indent=2))
    return EXIT_DONE


COMMANDS: tuple[Command, ...] = (
    Command("serve", "receive mail and answer HTTP", _serve, needs=Needs.SECRETS),
    Command("user", "manage users", cli_accounts.run, cli_accounts.add_user_arguments),
    Command("mailbox", "manage mailboxes", cli_accounts.run, cli_accounts.add_mailbox_arguments),
    Command("token", "manage API tokens", cli_accounts.run, cli_accounts.add_token_arguments),
    Command("outbox", "see and settle mail that goes out", cli_outbox.run, cli_outbox.add_arguments),
    Command("sandbox", "manage accounts at the providers' imitations", cli_sandbox.run, cli_sandbox.add_arguments),
    Command("verify", "check that every message has its body and every object its message", _verify, _verify_arguments),
    Command("retention", "remove what is past its time, now", _retention, _retention_arguments),
    Command("reextract", "read stored mail again, by the rules of now", _reextract, _reextract_arguments),
    Command("extract", "show what a mail's code and link are, and why", _extract, _extract_arguments, Needs.NOTHING),
    Command("openapi", "print the OpenAPI document of the HTTP API", _openapi, needs=Needs.NOTHING),
    Command("config", "show every setting, its value and where it comes from", _config, _config_arguments),
)
"""Every subcommand, in the order of `--help`."""


def main(
    argv: Sequence[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    commands: Sequence[Command] = COMMANDS,
) -> int:
    """Run the command that `argv` (default: the process's arguments) names; returns the exit code.

    Raises SystemExit as argparse does: 0 after `--help`, 2 on wrong usage.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal or pipe that cannot show a character gets its escape, not a crash.
        sys.stdout.reconfigure(errors="backslashreplace")
    args = _parser(commands).parse_args(argv)
    command: Command = args.command
    try:
        code = command.run(args, _settings(command, args, os.environ if environ is None else environ))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes once more at exit; let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except ConfigError as exc:
        for fault in exc.faults:
            print(f"tempmail: {_one_line(fault)}", file=sys.stderr)
        return EXIT_USAGE
    except TempmailError as exc:
        print(f"tempmail: {_one_line(str(exc))}", file=sys.stderr)
        return EXIT_FAILED
    return code


def _settings(command: Command, args: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    if command.needs is Needs.NOTHING:
        return setting_sources.defaults()
    if command.needs is Needs.SECRETS:
        loaded, args.created_secrets = setting_sources.load_or_create_secrets(environ, config=args.config)
    else:
        loaded = setting_sources.load(environ, config=args.config)
    args.loaded = loaded
    return loaded.settings


def _parser(commands: Sequence[Command]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tempmail",
        description="A self-hosted temp-mail server.",
        epilog=setting_docs.help_text(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tempmail {metadata.version('tempmail')}")
    _add_config_option(parser, default=None)
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")
    for command in commands:
        subparser = subparsers.add_parser(
            command.name,
            help=command.summary,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            epilog="Settings are variables; see tempmail --help." if command.needs is not Needs.NOTHING else None,
            allow_abbrev=False,
        )
        # SUPPRESS: without the option here, the one before the command counts.
        _add_config_option(subparser, default=argparse.SUPPRESS)
        command.add_arguments(subparser)
        subparser.set_defaults(command=command)
    return parser


def _add_config_option(parser: argparse.ArgumentParser, *, default: str | None) -> None:
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=default,
        help="a wrangler.toml to take [vars] and bindings from; the environment wins over it",
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
