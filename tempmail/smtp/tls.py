"""The server's TLS context."""

import ssl
from pathlib import Path

from tempmail.errors import ConfigError


def server_context(cert: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and newer with the PEM chain in `cert` (own certificate first) and the unencrypted key in `key`.

    Raises `ConfigError` that says which of the two is wrong and how.
    """
    faults = []
    for name, path in (("SMTP_TLS_CERT", cert), ("SMTP_TLS_KEY", key)):
        try:
            path.read_bytes()
        except OSError as exc:
            faults.append(f"{name}: {path} cannot be read: {exc.strerror}.")
    if faults:
        raise ConfigError(faults)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A client that renegotiates can make a server spend CPU at will.
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        # The callback is asked only for an encrypted key, where the default would prompt on the terminal.
        context.load_cert_chain(cert, key, password=lambda: b"")
    except ssl.SSLError as exc:
        raise ConfigError([_explain(exc, cert, key)]) from exc
    return context


def _explain(error: ssl.SSLError, cert: Path, key: Path) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"SMTP_TLS_KEY: {key} is not the key of the certificate in {cert}."
    return f"SMTP_TLS_CERT, SMTP_TLS_KEY: {cert} and {key} are not a PEM certificate chain and its unencrypted key."
