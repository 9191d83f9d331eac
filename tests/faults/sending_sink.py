"""A provider on loopback that remembers every mail it accepted, and lets a test choose the moment of its silence.

It speaks enough of Resend (`/emails`, repeats known by their key) and of SendFlare (`/v1/send`, nothing known) for
their real adapters. After `allow(n)` it answers `n` more requests; those that come then hang until `release`, some of
them accepted, some not: just what a sender cannot tell apart.
"""

import contextlib
import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType

from tests.contract.canned_http import Answer, Request, canned_server

_DELAY_S = 0.005


class Sink:
    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._changed = threading.Condition()
        self._allowed = 0
        self._round = 0
        self._keys: dict[str, bytes] = {}
        self.accepted: Counter[str] = Counter()
        """By subject: how often it was accepted. A repeat that is known by its key does not count."""
        self.conflicts: list[str] = []
        """Keys that came again with other bytes."""
        self.answered = 0
        self._open = contextlib.ExitStack()

    def __enter__(self) -> "Sink":
        self._url = self._open.enter_context(canned_server(self._answer)).url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self._open.close()

    @property
    def url(self) -> str:
        return self._url

    def allow(self, count: int) -> None:
        """Answer so many more requests."""
        with self._changed:
            self._allowed += count
            self._changed.notify_all()

    def release(self) -> None:
        """Cut the connections of those that hang."""
        with self._changed:
            self._round += 1
            self._allowed = 0
            self._changed.notify_all()

    def await_that(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        """Whether it is so in time; looked at after each request."""
        with self._changed:
            return self._changed.wait_for(is_so, timeout_s)

    def _answer(self, request: Request) -> Answer | None:
        key = request.headers.get("idempotency-key") if request.path == "/emails" else None
        if not self._take(key, request.body):
            return None
        answer: dict[str, object] = {"id": f"id-{key}"}
        if key is None:
            answer = {"requestId": "r", "code": 0, "success": True, "message": "Successfully", "data": None}
        return Answer(200, json.dumps(answer).encode(), (("Content-Type", "application/json"),))

    def _take(self, key: str | None, body: bytes) -> bool:
        """Whether the request is to be answered."""
        with self._changed:
            coming_in = self._round
            is_answered = self._allowed > 0
            self._allowed -= is_answered
            if is_answered or self._chance.random() < 0.5:
                self._accept(key, body)
            self._changed.notify_all()
            if is_answered:
                self.answered += 1
                self._changed.wait(_DELAY_S * self._chance.random())
                return True
            self._changed.wait_for(lambda: self._round > coming_in)
            return False

    def _accept(self, key: str | None, body: bytes) -> None:
        if key is not None:
            if key in self._keys:
                self.conflicts += [key] if self._keys[key] != body else []
                return
            self._keys[key] = body
        self.accepted[str(json.loads(body)["subject"])] += 1
