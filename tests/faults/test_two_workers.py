"""Several processes take mail for one new address at the same time."""

import threading
from collections import Counter
from pathlib import Path

from tests.running import DOMAIN, PATIENCE_S, running
from tests.smtp_client import SmtpClient, stuffed

PARALLEL = 12
ROUNDS = 20


def test_first_mails_for_one_new_address_at_once_are_all_kept_in_one_mailbox(tmp_path: Path) -> None:
    with running(tmp_path, SMTP_WORKERS=2) as server:
        clients = [server.connect() for _ in range(PARALLEL)]
        together = threading.Barrier(PARALLEL)
        replies: list[str] = []

        def deliver(client: SmtpClient, number: int) -> None:
            for turn in range(ROUNDS):
                # Half of them by its other name: the rule that makes one of the other must not make two mailboxes.
                name = f"new{turn}" if number % 2 else f"signup.new{turn}"
                assert client.start_data(f"{name}@{DOMAIN}").startswith("354")
                together.wait(PATIENCE_S)
                replies.append(client.finish_data(stuffed(b"Subject: %d-%d\r\n\r\nhello\r\n" % (turn, number))))

        threads = [threading.Thread(target=deliver, args=pair) for pair in zip(clients, range(PARALLEL), strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        for client in clients:
            client.close()

        assert Counter(reply[:3] for reply in replies) == {"250": PARALLEL * ROUNDS}
        roles = {event["role"] for event in server.output.events("mail.stored")}
        assert roles == {"smtp-0", "smtp-1"}, "the kernel gave connections to both"
        with server.client() as http:
            addresses = [f"new{turn}@{DOMAIN}" for turn in range(ROUNDS)]
            listed = {row["address"] for row in http.get("/api/mailboxes").json()["list"]}
            assert listed == set(addresses)
            for turn, address in enumerate(addresses):
                mails = http.get("/api/emails", params={"mailbox": address, "limit": 50}).json()
                assert {mail["subject"] for mail in mails} == {f"{turn}-{number}" for number in range(PARALLEL)}
                assert len(mails) == PARALLEL
