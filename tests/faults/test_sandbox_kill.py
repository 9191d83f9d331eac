"""kill -9 to the process that answers HTTP while apps send through a sandbox and repeat what got no answer: each mail
arrives once."""

import os
import random
import secrets
import threading
from collections import Counter
from pathlib import Path

import httpx

from tests.running import DOMAIN, PATIENCE_S, Server, running

CLIENTS = 4
KILLS = 3
BOX = f"box@{DOMAIN}"


class Senders:
    """Clients that send mail after mail, each with a key of its own, again and again until it is taken."""

    def __init__(self, server: Server, key: str) -> None:
        self._url = f"{server.url}/sandbox/resend/emails"
        self._headers = {"authorization": f"Bearer {key}"}
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self.taken: dict[str, str] = {}
        """Subject → the id that was told."""
        self.repeats = 0
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(CLIENTS)]

    def await_taken(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.taken) >= count, PATIENCE_S), len(self.taken)

    def __enter__(self) -> "Senders":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()

    def _run(self, client_number: int) -> None:
        number = 0
        with httpx.Client(headers=self._headers, timeout=PATIENCE_S, trust_env=False, verify=False) as client:
            while not self._stop.is_set():
                number += 1
                self._send(client, f"{client_number}-{number}")

    def _send(self, client: httpx.Client, subject: str) -> None:
        mail = {"from": "a@shop.example", "to": BOX, "subject": subject, "text": "Your code is 482913"}
        while True:
            try:
                answer = client.post(self._url, json=mail, headers={"idempotency-key": subject})
            except httpx.TransportError:
                with self._changed:
                    self.repeats += 1
                self._stop.wait(0.02)
                continue
            assert answer.status_code == 200, answer.text
            with self._changed:
                self.taken[subject] = answer.json()["id"]
                self._changed.notify_all()
            return


def test_what_is_repeated_until_it_is_taken_arrives_once(tmp_path: Path) -> None:
    seed = int(os.environ.get("FAULT_SEED", secrets.randbits(32)))
    print(f"FAULT_SEED={seed}")
    choice = random.Random(seed)
    with running(tmp_path) as server, server.client() as client:
        made = client.post("/api/v1/sandboxes/resend/credentials", json={}).raise_for_status().json()
        key = made["values"]["key"]
        with Senders(server, key) as senders:
            for kill in range(KILLS):
                senders.await_taken(len(senders.taken) + choice.randrange(10, 60))
                threading.Event().wait(choice.uniform(0, 0.02))
                server.kill("web")
                server.output.await_event("worker.started", count=3 + kill + 1)
            senders.await_taken(len(senders.taken) + 20)

        print(f"{len(senders.taken)} mails were taken, {senders.repeats} requests repeated")
        assert senders.repeats
        with server.client() as fresh:
            stored = server.query("select subject from messages")
            assert Counter(subject for (subject,) in stored) == Counter(dict.fromkeys(senders.taken, 1))
            for subject, email_id in list(senders.taken.items())[-50:]:
                headers = {"authorization": f"Bearer {key}"}
                shown = fresh.get(f"/sandbox/resend/emails/{email_id}", headers=headers).raise_for_status().json()
                assert (shown["subject"], shown["last_event"]) == (subject, "delivered")
