"""The list of mailboxes: the viewer's pins first, then newest first, in time that does not grow with the table.

Without a search everything is exact: totals come from counters, ids from a walk along the index that fits the filters,
from whichever end is nearer. A search for three or more characters asks the full-text index. Shorter ones, and patterns
of a token that have no three characters in a row, are looked for among the newest `DEPTH` mailboxes that fit the
filters.
"""

from dataclasses import dataclass

from tempmail.adapters.sql.script import Query, QueryMany, Rows, Script, record
from tempmail.domain.accounts import MAX_TOKEN_MAILBOXES
from tempmail.domain.address import MAX_ADDRESS_LENGTH
from tempmail.domain.messages import MailboxFilter, MailboxListing, MailboxPage

DEPTH = 3_000
"""How many mailboxes a search looks at. Where more could match, only the newest are listed and counted; pinned ones
are found in any case."""
OWN_DEPTH = 10_000
"""The same for filters and searches in what is linked to one user: those come first in the list. A user has fewer,
unless an admin raised its limit beyond that of admins."""

_LOGIN, _FAVORITE, _FORWARD = 4, 2, 1  # as in the column `flags`
_ALL_FLAGS = range(8)
_NO_FLAGS = -1
_ARMS = ("flags_a", "flags_b", "flags_c", "flags_d")
_WITHIN = tuple(f"within_{letter}" for letter in "abcdefgh")

_GRAM = 3
"""Characters that the full-text index needs at least."""
_MAX_TERM = 24
_MAX_PIECE = 12
"""Of longer terms, and pieces of patterns, the index is asked for these first characters only: each further one costs
time, and the address itself is looked at in the end."""

# (of one domain, with flags) → from the newest, from the oldest, for a search
_WALKS = {
    (False, False): ("mailbox_lists.newest", "mailbox_lists.oldest", "mailbox_lists.search"),
    (True, False): (
        "mailbox_lists.newest_in_domain",
        "mailbox_lists.oldest_in_domain",
        "mailbox_lists.search_in_domain",
    ),
    (False, True): (
        "mailbox_lists.newest_with_flags",
        "mailbox_lists.oldest_with_flags",
        "mailbox_lists.search_with_flags",
    ),
    (True, True): (
        "mailbox_lists.newest_in_domain_with_flags",
        "mailbox_lists.oldest_in_domain_with_flags",
        "mailbox_lists.search_in_domain_with_flags",
    ),
}

_Listed = tuple[list[int], list[int], int]
"""Ids of a page, the pinned and the others, each newest first; and how many there are on all pages."""


def page(criteria: MailboxFilter, limit: int, offset: int) -> Script[MailboxPage]:
    """See `ports.Mailboxes.page`. One snapshot."""
    wanted = _Wanted.of(criteria)
    if not wanted.is_possible:
        return MailboxPage((), 0)
    if criteria.owned_by is not None:
        pinned, others, total = yield from _own(wanted, criteria.owned_by, limit, offset)
    elif wanted.names_any:
        pinned, others, total = yield from _exact(wanted, criteria.pinned_by, limit, offset)
    else:
        pinned, others, total = yield from _searched(wanted, criteria.pinned_by, limit, offset)
    found = yield QueryMany("mailbox_lists.rows", [{"id": id_} for id_ in (*pinned, *others)])
    rows = {row["id"]: row for row in found}
    listed = [(id_, 1) for id_ in pinned] + [(id_, 0) for id_ in others]
    return MailboxPage(
        tuple(record(MailboxListing, rows[id_], is_pinned=is_pinned) for id_, is_pinned in listed), total
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A filter as the queries take it: `mask` and `flags` are the bits that are asked for and their values. Raises
    ValueError for more patterns than a token may have."""

    domain: str
    mask: int
    flags: int
    search: str
    within: tuple[str, ...]

    @classmethod
    def of(cls, criteria: MailboxFilter) -> "_Wanted":
        asked = {_LOGIN: criteria.can_login, _FAVORITE: criteria.is_favorite, _FORWARD: criteria.has_forward}
        if len(criteria.within) > MAX_TOKEN_MAILBOXES:
            raise ValueError(f"more than {MAX_TOKEN_MAILBOXES} patterns")
        return cls(
            domain=criteria.domain or "",
            mask=sum(bit for bit, value in asked.items() if value is not None),
            flags=sum(bit for bit, value in asked.items() if value),
            search=criteria.search or "",
            within=() if any(not pattern.strip("*") for pattern in criteria.within) else criteria.within,
        )

    @property
    def is_possible(self) -> bool:
        """Whether an address can hold the search. A NUL would end the pattern for SQLite."""
        return len(self.search) <= MAX_ADDRESS_LENGTH and "\0" not in self.search

    @property
    def names_any(self) -> bool:
        return not self.search and not self.within

    @property
    def names_only(self) -> tuple[str, ...]:
        """The addresses that can fit, where they are known; none: they are not."""
        return () if any("*" in pattern for pattern in self.within) else tuple(dict.fromkeys(self.within))

    @property
    def phrases(self) -> str:
        """What the full-text index is asked for: every address that fits is found by it. "" where it cannot help."""
        asked = _grams(self.search[:_MAX_TERM])
        patterns = [[gram for p in pattern.split("*") for gram in _grams(p[:_MAX_PIECE])] for pattern in self.within]
        if patterns and all(patterns):
            asked.append(f"({' OR '.join(' AND '.join(grams) for grams in patterns)})")
        return " AND ".join(asked)

    @property
    def params(self) -> dict[str, object]:
        patterns = [_like(pattern).replace("*", "%") for pattern in self.within]
        return {
            "domain": self.domain,
            "mask": self.mask,
            "wanted": self.flags,
            "search": f"%{_like(self.search)}%" if self.search else "",
            **dict(zip(_WITHIN, patterns + [""] * (len(_WITHIN) - len(patterns)), strict=True)),
        }

    @property
    def walk(self) -> tuple[str, str, str]:
        return _WALKS[bool(self.domain), bool(self.mask)]

    @property
    def walk_params(self) -> dict[str, object]:
        arms = [flags for flags in _ALL_FLAGS if flags & self.mask == self.flags]
        return {"domain": self.domain, **dict(zip(_ARMS, [*arms, *[_NO_FLAGS] * len(_ARMS)], strict=False))}


def _grams(text: str) -> list[str]:
    """What `text` consists of, as the index is asked for it: side by side, since every overlap would cost as much again
    and excludes next to nothing more. None for a text that is too short."""
    starts = [*range(0, len(text) - _GRAM, _GRAM), len(text) - _GRAM] if len(text) >= _GRAM else []
    return ['"' + text[start : start + _GRAM].replace('"', '""') + '"' for start in starts]


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _own(wanted: _Wanted, user_id: int, limit: int, offset: int) -> Script[_Listed]:
    user, window = {"user_id": user_id}, {"limit": limit, "offset": offset}
    if wanted.names_any and not wanted.domain and not wanted.mask:
        rows = yield Query("mailbox_lists.own_page", {**user, **window})
        counted = yield Query("mailbox_lists.own_count", user)
        total = int(counted[0]["total"]) if counted else 0
    else:
        params = {**wanted.params, **user, "depth": OWN_DEPTH}
        total = int((yield Query("mailbox_lists.own_matches", params))[0]["total"])
        # No more than are counted: what comes after the last of those would be looked for in vain, or beyond the depth.
        window["limit"] = min(limit, total - offset)
        rows = (yield Query("mailbox_lists.own", {**params, **window})) if offset < total else []
    pinned = [row["id"] for row in rows if row["is_pinned"]]
    return pinned, [row["id"] for row in rows if not row["is_pinned"]], total


def _exact(wanted: _Wanted, viewer_id: int, limit: int, offset: int) -> Script[_Listed]:
    total = yield from _total(wanted)
    pins = _ids((yield Query("mailbox_lists.pinned", {**wanted.params, "user_id": viewer_id})))
    pinned = pins[offset : offset + limit]
    room, skipped = limit - len(pinned), max(0, offset - len(pins))
    # The walk meets the pinned ones too, wherever they are: so many more may have to be left out.
    walked = yield from _walked(wanted, total, limit=room + len(pins), offset=skipped)
    passed = sum(id_ > walked[0] for id_ in pins) if walked else 0
    others = [id_ for id_ in walked if id_ not in set(pins)] if pins else walked
    return pinned, others[passed : passed + room], total


def _walked(wanted: _Wanted, total: int, *, limit: int, offset: int) -> Script[list[int]]:
    """Ids `offset` to `offset + limit` of the `total` that fit the filters, newest first, pinned or not."""
    end = min(offset + limit, total)
    if end <= offset:
        return []
    newest, oldest, _ = wanted.walk
    params = {**wanted.walk_params, "limit": end - offset}
    if offset <= total - end:
        return _ids((yield Query(newest, {**params, "offset": offset})))
    return _ids((yield Query(oldest, {**params, "offset": total - end})))[::-1]


def _searched(wanted: _Wanted, viewer_id: int, limit: int, offset: int) -> Script[_Listed]:
    params = {**wanted.params, "user_id": viewer_id}
    pins = _ids((yield Query("mailbox_lists.pinned", params)))
    pinned = pins[offset : offset + limit]
    room, skipped = limit - len(pinned), max(0, offset - len(pins))
    if wanted.names_only:
        rows = yield QueryMany("mailbox_lists.named", [{"address": name} for name in wanted.names_only], params)
        named = sorted(set(_ids(rows)).difference(pins), reverse=True)
        return pinned, named[skipped : skipped + room], len(pins) + len(named)
    name, more = yield from _search(wanted)
    params |= {**more, "depth": DEPTH}
    rows, total = yield from _counted(name, params, limit=room, offset=skipped, most=DEPTH)
    return pinned, _ids(rows), len(pins) + total


def _search(wanted: _Wanted) -> Script[tuple[str, dict[str, object]]]:
    """The query that finds the most at the least cost: the index of the filters where it finds all."""
    if wanted.phrases and (yield from _total(wanted)) > DEPTH:
        return "mailbox_lists.search_index", {"phrases": wanted.phrases}
    return wanted.walk[2], wanted.walk_params


def _counted(name: str, params: dict[str, object], *, offset: int, limit: int, most: int) -> Script[tuple[Rows, int]]:
    """Rows that each know how many there are, `most` at most; where the page has none, the first row is asked."""
    rows: Rows = []
    if limit > 0 and offset < most:
        rows = yield Query(name, {**params, "limit": limit, "offset": offset})
        if rows or not offset:
            return rows, int(rows[0]["total"]) if rows else 0
    first = yield Query(name, {**params, "limit": 1, "offset": 0})
    return [], int(first[0]["total"]) if first else 0


def _total(wanted: _Wanted) -> Script[int]:
    name = "mailbox_lists.count_in_domain" if wanted.domain else "mailbox_lists.count"
    return int((yield Query(name, wanted.params))[0]["total"])


def _ids(rows: Rows) -> list[int]:
    return [row["id"] for row in rows]
