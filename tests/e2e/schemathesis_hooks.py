"""How a raw mail is sent, which schemathesis does not know. Loaded by `schemathesis.toml`."""

import schemathesis


@schemathesis.serializer("message/rfc822")
def _raw_mail(_: schemathesis.SerializationContext, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
