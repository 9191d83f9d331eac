"""The state of a mail, read from those of its recipients."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tempmail.adapters.sql.script import QueryMany, Script
from tempmail.domain.outbound import State, overall

_GOOD = frozenset({State.ACCEPTED, State.DELIVERED})
_NO_TURN = -1


@dataclass(frozen=True, slots=True)
class Restated:
    """A mail whose recipients have changed. `error` None: the last one stays unless all is well. With the `turn` that
    it is still in, it is looked at at `due` next (None: never)."""

    mail_id: int
    error: str | None
    now: str
    turn: int = _NO_TURN
    due: str | None = None


def restate(mail_id: int, *, error: str | None, now: str) -> Script[None]:
    yield from restate_all([Restated(mail_id, error, now)])


def restate_all(mails: Sequence[Restated]) -> Script[None]:
    """Give each mail, named once, the state that its recipients are in."""
    states: defaultdict[int, list[State]] = defaultdict(list)
    for row in (yield QueryMany("outbox.recipient_states", [{"id": mail.mail_id} for mail in mails])):
        states[row["outbox_id"]].append(State(row["state"]))
    overalls = {mail_id: overall(found) for mail_id, found in states.items()}
    yield QueryMany(
        "outbox.restate",
        [
            {
                "id": mail.mail_id,
                "state": overalls[mail.mail_id],
                "error": mail.error,
                "keeps_error": int(overalls[mail.mail_id] not in _GOOD),
                "turn": mail.turn,
                "due": mail.due,
                "now": mail.now,
            }
            for mail in mails
        ],
    )
