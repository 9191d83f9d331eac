"""Steps that the tests of the outbox's store share."""

from asyncio import run

from tempmail.domain.outbound import State
from tempmail.ports import Store
from tempmail.ports.outbound import (
    NewOutbound,
    OutboxCall,
    OutboxDetail,
    OutboxMail,
    Settled,
)
from tests.builders import at
from tests.outbound_builders import new_outbound, request

A, B, C = "a@else.example", "b@else.example", "c@else.example"
DAY = 86_400.0


def add(store: Store, *mails: NewOutbound) -> list[OutboxMail]:
    return run(store.outbox.add(mails, [None] * len(mails)))


def claim(store: Store, second: float = 0, *, lease: float = 60, limit: int = 100) -> list[OutboxDetail]:
    return run(store.outbox.claim(now=at(second), until=at(second + lease), limit=limit))


def begin(store: Store, detail: OutboxDetail, *recipients: str, second: float = 0) -> list[OutboxCall]:
    """A call for each recipient."""
    calls = [(f"{detail.mail.uuid}-{to}", request(to)) for to in recipients or (A,)]
    return run(
        store.outbox.begin(
            detail.mail.id, detail.mail.turn, "resend", "shop", calls, until=at(second + 60), now=at(second)
        )
    )


def settle(
    store: Store, call: OutboxCall, detail: OutboxDetail, state: State, *, due: str | None = None, **more: object
) -> OutboxMail:
    settled = Settled(
        call_id=call.id,
        attempt=max(1, call.attempts),
        turn=detail.mail.turn,
        state=state,
        now=at(1),
        due=due,
        **more,  # type: ignore[arg-type]
    )
    return run(store.outbox.settle(settled))


def begun(store: Store, *recipients: str) -> tuple[OutboxDetail, list[OutboxCall]]:
    """A mail whose first call is under way."""
    add(store, new_outbound(*(recipients or (A,))))
    [detail] = claim(store)
    return detail, begin(store, detail, *recipients)


def settled(store: Store, state: State, *, due: str | None = None) -> OutboxMail:
    """A mail with one recipient whose call has ended like that."""
    detail, [call] = begun(store)
    return settle(store, call, detail, state, due=due)


def get(store: Store, mail: OutboxMail | OutboxDetail) -> OutboxDetail:
    found = run(store.outbox.get(mail.id if isinstance(mail, OutboxMail) else mail.mail.id))
    assert found is not None
    return found


def recipient_states(store: Store, mail: OutboxMail | OutboxDetail) -> dict[str, State]:
    return {each.address: each.state for each in get(store, mail).recipients}
