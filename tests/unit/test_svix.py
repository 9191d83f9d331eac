"""Signed webhooks: the published vector, and everything that must not pass."""

import base64

import pytest

from tempmail.domain.svix import MAX_SIGNATURES, TOLERANCE_S, is_genuine, sign

# Source: Svix's documentation, as provider facts 1.1 quotes it.
SECRET = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIME = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def genuine(**changes: object) -> bool:
    given = {"message_id": ID, "timestamp": str(TIME), "signatures": SIGNATURE, "body": BODY, "now": TIME}
    secrets = changes.pop("secrets", (SECRET,))
    return is_genuine(secrets, **{**given, **changes})  # type: ignore[arg-type]


def test_the_published_signature_holds() -> None:
    assert sign(SECRET, ID, str(TIME), BODY) == SIGNATURE
    assert genuine()


@pytest.mark.parametrize(
    "changes",
    [
        {"body": BODY + b" "},
        {"message_id": "msg_other"},
        {"message_id": ""},
        {"message_id": "m" * 257},
        {"timestamp": str(TIME + 1)},
        {"timestamp": ""},
        {"timestamp": f"+{TIME}"},
        {"timestamp": "١٦١٤٢٦٥٣٣٠"},
        {"timestamp": "9" * 400},
        {"signatures": ""},
        {"signatures": SIGNATURE[:-1]},
        {"signatures": SIGNATURE.replace("v1,", "v2,")},
        {"signatures": SIGNATURE.removeprefix("v1,")},
        {"signatures": "v1,é"},
        {"secrets": (b"another",)},
        {"secrets": ()},
    ],
)
def test_anything_else_does_not(changes: dict[str, object]) -> None:
    assert not genuine(**changes)


@pytest.mark.parametrize(
    ("late_s", "holds"),
    [(TOLERANCE_S, True), (TOLERANCE_S + 1, False), (-TOLERANCE_S, True), (-TOLERANCE_S - 1, False)],
)
def test_a_signature_is_good_for_five_minutes(late_s: int, holds: bool) -> None:
    assert genuine(now=TIME + late_s) is holds


def test_any_of_several_signatures_and_any_of_several_secrets_may_fit() -> None:
    assert genuine(signatures=f"v1,bm90IHRoaXM= v1a,x {SIGNATURE}")
    assert genuine(secrets=(b"another", SECRET))


def test_signatures_beyond_a_number_are_not_looked_at() -> None:
    assert genuine(signatures=" ".join(["v1,x"] * (MAX_SIGNATURES - 1) + [SIGNATURE]))
    assert not genuine(signatures=" ".join(["v1,x"] * MAX_SIGNATURES + [SIGNATURE]))
