"""The arguments of MAIL and RCPT: paths and parameters (RFC 5321 4.1.2 and 4.1.1.11, RFC 6531 3.3).

Every pattern is linear: its alternatives start with disjoint characters, and no repeated group may match nothing.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

MAX_PATH_OCTETS = 256
"""RFC 5321 4.5.3.1.3: with the angle brackets."""

MAX_LOCAL_PART_OCTETS = 64
"""RFC 5321 4.5.3.1.1. Holds for recipients: senders with longer ones (SRS, relay services) are real and harmless."""

MAX_DOMAIN_OCTETS = 255
MAX_LABEL_OCTETS = 63

_NON_ASCII = "\u00a0-\ud7ff\ue000-\U0010ffff"
_ATOM = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~\-{_NON_ASCII}]+"
_DOT_ATOM = rf"{_ATOM}(?:\.{_ATOM})*"
_QUOTED = rf'"(?:[\x20\x21\x23-\x5b\x5d-\x7e{_NON_ASCII}]|\\[\x20-\x7e])*"'
_DOMAIN = rf"[A-Za-z0-9_.\-{_NON_ASCII}]+"

_PATH = re.compile(
    r" *<"
    rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"  # a source route: accepted and ignored (RFC 5321 3.6.1, appendix C)
    rf"(?P<local>{_DOT_ATOM}|{_QUOTED})"
    rf"@(?P<domain>{_DOMAIN}|\[[A-Za-z0-9:.]+\])"
    r">(?: +(?P<rest>.*))?"
)
_NULL_PATH = re.compile(r" *<>(?: +(?P<rest>.*))?")
_POSTMASTER = re.compile(r" *<postmaster>(?: +(?P<rest>.*))?", re.IGNORECASE)
_IS_DOT_ATOM = re.compile(_DOT_ATOM)


class PathError(ValueError):
    """The path is not one. `str(error)` tells the client what is wrong with it."""


class ParameterError(ValueError):
    """A parameter has a bad or missing value, or comes twice."""


class UnknownParameter(ValueError):
    """A parameter that no offered extension defines."""


@dataclass(frozen=True, slots=True)
class MailParameters:
    """What MAIL said about the mail to come. `size_bytes` is 0 where the client did not say."""

    size_bytes: int = 0
    smtputf8: bool = False


NO_PARAMETERS = MailParameters()


def parse_reverse_path(text: str) -> tuple[str, str]:
    """The sender in `text` (what follows `FROM:`) and the parameters after it. The null path `<>` gives "".

    >>> parse_reverse_path("<News@example.com> SIZE=200")
    ('News@example.com', 'SIZE=200')
    >>> parse_reverse_path("<>")
    ('', '')
    """
    if match := _NULL_PATH.fullmatch(text):
        return "", match["rest"] or ""
    return _parse(text, max_local_part_octets=MAX_PATH_OCTETS)


def parse_forward_path(text: str, *, postmaster_domain: str) -> tuple[str, str]:
    """The recipient in `text` (what follows `TO:`) and the parameters after it.

    `<Postmaster>` without a domain (RFC 5321 4.1.1.3) is the postmaster of `postmaster_domain`.
    """
    if match := _POSTMASTER.fullmatch(text):
        return f"postmaster@{postmaster_domain}", match["rest"] or ""
    return _parse(text, max_local_part_octets=MAX_LOCAL_PART_OCTETS)


def _parse(text: str, *, max_local_part_octets: int) -> tuple[str, str]:
    match = _PATH.fullmatch(text)
    if match is None:
        raise PathError(_explain(text))
    local, domain, rest = match.group("local", "domain", "rest")
    if local[0] == '"':
        local = _unquote(local)
    address = f"{local}@{domain}"
    octets = len(address) if address.isascii() else len(address.encode())
    if octets > MAX_PATH_OCTETS - 2:
        raise PathError(f"The address is longer than {MAX_PATH_OCTETS - 2} octets")
    if len(local) > max_local_part_octets or len(local.encode()) > max_local_part_octets:
        raise PathError(f"The part before the @ is longer than {max_local_part_octets} octets")
    _check_domain(domain)
    return address, rest or ""


def _unquote(local: str) -> str:
    """A quoted local part in its one canonical form: without quotes where it needs none (RFC 5321 4.1.2)."""
    plain = re.sub(r"\\(.)", r"\1", local[1:-1])
    if _IS_DOT_ATOM.fullmatch(plain):
        return plain
    if not plain:
        raise PathError("The part before the @ is empty")
    return '"' + re.sub(r'(["\\])', r"\\\1", plain) + '"'


def _check_domain(domain: str) -> None:
    if domain[0] == "[":
        _check_literal(domain[1:-1])
        return
    if len(domain.encode()) > MAX_DOMAIN_OCTETS:
        raise PathError(f"The domain is longer than {MAX_DOMAIN_OCTETS} octets")
    for label in domain.split("."):
        if not label:
            raise PathError("The domain has an empty label")
        if len(label) > MAX_LABEL_OCTETS:
            raise PathError(f"A label of the domain is longer than {MAX_LABEL_OCTETS} octets")
        if label[0] == "-" or label[-1] == "-":
            raise PathError("A label of the domain begins or ends with a hyphen")


def _check_literal(literal: str) -> None:
    """An address literal (RFC 5321 4.1.3)."""
    try:
        if literal[:5].upper() == "IPV6:":
            IPv6Address(literal[5:])
        else:
            IPv4Address(literal)
    except ValueError as exc:
        raise PathError("The address literal is neither IPv4 nor IPv6:address") from exc


def _explain(text: str) -> str:
    stripped = text.strip(" ")
    if not stripped.startswith("<") or ">" not in stripped:
        return "Put the address in angle brackets: <local@domain>"
    if "@" not in stripped:
        return "The address has no domain: <local@domain>"
    return "The address is malformed: expected <local@domain>"


def parse_mail_parameters(rest: str) -> MailParameters:
    """What follows the path in MAIL: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), each at most once.

    Raises `ParameterError`, `UnknownParameter`.
    """
    if not rest:
        return NO_PARAMETERS
    size_bytes, smtputf8 = 0, False
    seen = set()
    for parameter in rest.split():
        keyword, _, value = parameter.partition("=")
        keyword = keyword.upper()
        if keyword in seen:
            raise ParameterError(f"{keyword} comes twice")
        seen.add(keyword)
        if keyword == "SIZE":
            if not (value.isascii() and value.isdigit() and len(value) <= 20):
                raise ParameterError("SIZE takes a number of octets: SIZE=12345")
            size_bytes = int(value)
        elif keyword == "BODY":
            if value.upper() not in ("7BIT", "8BITMIME"):
                raise ParameterError("BODY is 7BIT or 8BITMIME")
        elif keyword == "SMTPUTF8":
            if parameter.upper() != "SMTPUTF8":
                raise ParameterError("SMTPUTF8 takes no value")
            smtputf8 = True
        else:
            raise UnknownParameter
    return MailParameters(size_bytes, smtputf8)
