"""What is done after a call to a provider did not succeed, and when. Source: provider facts 3, retry and failover."""

from dataclasses import dataclass

from tempmail.domain.outbound import State
from tempmail.errors import (
    OutcomeUnknown,
    ProviderAuthFailed,
    ProviderDenied,
    ProviderError,
    ProviderExhausted,
    ProviderRateLimited,
    ProviderUnavailable,
)

TRIES = 6
REPEAT_FOR_S = 23 * 3600.0
"""How long a call is repeated with its key: providers know a key for 24 hours."""
PAUSE_S = 900.0
"""For how long an account rests that was refused or is used up, where the provider does not say."""
DENIALS = 3
"""How often one account may deny the same mail, pausing for all others each time, until it gets it no more."""
BACKOFF_S = 1.0
MAX_BACKOFF_S = 300.0
LIMITS_AS_ASKED = 2
"""How often a call that comes too fast waits no longer than the provider asks for. A provider that asks for a second
over and over has another reason, and each try takes a turn of its account from other mails."""
LOOKUP_GAPS_S = (60.0, 300.0, 1_800.0, 7_200.0, 28_800.0, 86_400.0)
"""Between acceptance and the first lookup, and from one to the next."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One try of a call. `failures`: how many counted before it. `is_doubtful`: an earlier try may have been sent, so
    that nothing this one says proves that the mail was not. `is_repeatable`: the provider knows a repeat by its key.
    `is_patient`: it is tried until its deadline, as a mail server does with mail that it took over (RFC 5321 4.5.4.1).
    `limited`: how many tries before it did not count, nearly all of which came too fast.
    """

    failures: int
    is_doubtful: bool
    is_repeatable: bool
    at_least_once: bool
    is_patient: bool = False
    limited: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`state`: of the call from now on. `after_s`: when it is made again; None: not by itself. `is_failure`: counts
    against its tries. `pause_s`: how long its account is not used. `moves_on`: another account may send it at once.
    `is_outage`: counts towards opening the account's circuit."""

    state: State
    after_s: float | None = None
    is_failure: bool = False
    pause_s: float | None = None
    moves_on: bool = False
    is_outage: bool = False


def judge(error: ProviderError, tried: Tried, *, chance: float) -> Verdict:
    """What follows from `error`. `chance`, 0 to 1, spreads what failed together.

    Failover (`moves_on`) only where every earlier try is certainly not sent.

    >>> judge(ProviderUnavailable("no connection"), Tried(0, False, False, False), chance=0.5).after_s
    0.5
    """
    if error.maybe_sent:
        return _after_unknown(error, tried, chance)
    if tried.is_doubtful:
        return _after_doubt(error, tried, chance)
    if isinstance(error, ProviderRateLimited):
        return Verdict(State.QUEUED, after_s=_limited_s(error, tried, chance))
    if (pause_s := _pause_s(error)) is not None:
        is_denial = isinstance(error, ProviderDenied)
        return Verdict(State.QUEUED, is_failure=is_denial, pause_s=pause_s, moves_on=True)
    if isinstance(error, ProviderUnavailable):
        if tried.is_patient or tried.failures + 1 < error.tries:
            after_s = backoff_s(tried.failures, chance)
            return Verdict(State.QUEUED, after_s=after_s, is_failure=True, is_outage=True)
        return Verdict(State.QUEUED, is_failure=True, moves_on=True, is_outage=True)
    return Verdict(State.FAILED, is_failure=True)


def backoff_s(failures: int, chance: float) -> float:
    """Full jitter: anything from nothing to the limit, which doubles with each failure."""
    return chance * _doubled_s(failures)


def _after_unknown(error: ProviderError, tried: Tried, chance: float) -> Verdict:
    if isinstance(error, OutcomeUnknown) and not error.repeatable:
        return Verdict(State.UNKNOWN, is_failure=True)
    wanted_s = error.repeat_after_s if isinstance(error, OutcomeUnknown) else None
    after_s = backoff_s(tried.failures, chance) if wanted_s is None else _spread(wanted_s, chance)
    if tried.is_repeatable:
        return Verdict(State.UNKNOWN, after_s=after_s, is_failure=True)
    if tried.at_least_once and tried.failures + 1 < TRIES:
        return Verdict(State.QUEUED, after_s=after_s, is_failure=True)
    return Verdict(State.UNKNOWN, is_failure=True)


def _after_doubt(error: ProviderError, tried: Tried, chance: float) -> Verdict:
    """This try was not sent, but one before it may have been."""
    if isinstance(error, ProviderRateLimited):
        return Verdict(State.UNKNOWN, after_s=_limited_s(error, tried, chance))
    if (pause_s := _pause_s(error)) is not None:
        return Verdict(State.UNKNOWN, after_s=pause_s, pause_s=pause_s)
    if isinstance(error, ProviderUnavailable):
        after_s = backoff_s(tried.failures, chance)
        return Verdict(State.UNKNOWN, after_s=after_s, is_failure=True, is_outage=True)
    return Verdict(State.UNKNOWN, is_failure=True)


def _limited_s(error: ProviderRateLimited, tried: Tried, chance: float) -> float:
    """What was asked for; after a few times in vain, at least a time that doubles with each."""
    least_s = 0.0 if tried.limited < LIMITS_AS_ASKED else _doubled_s(tried.limited)
    return _spread(max(error.retry_after_s, least_s), chance)


def _doubled_s(times: int) -> float:
    return min(MAX_BACKOFF_S, BACKOFF_S * 2.0 ** min(times, 30))


def _pause_s(error: ProviderError) -> float | None:
    if isinstance(error, ProviderExhausted):
        return PAUSE_S if error.resets_after_s is None else max(1.0, error.resets_after_s)
    return PAUSE_S if isinstance(error, ProviderAuthFailed | ProviderDenied) else None


def _spread(seconds: float, chance: float) -> float:
    """Never sooner than asked, and up to a tenth (at least a second) later."""
    return seconds + chance * max(1.0, 0.1 * seconds)
