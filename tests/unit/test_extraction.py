"""Which parts of a mail are read for its code and link."""

from tempmail.domain.extraction import extract_mail
from tempmail.domain.mime import parse

PAGE = (
    '<p>Your login code is <b>482913</b></p><a href="https://app.example/verify?token=9d1b6a7c4e0f48f2a3c5">Verify</a>'
)
CODE = "Your login code is 482913."
LINK = "Verify your address: https://app.example/verify?token=9d1b6a7c4e0f48f2a3c5"


def mail(text: str, page: str = PAGE) -> bytes:
    return (
        "Subject: Sign in\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/plain\r\n\r\n{text}\r\n"
        f"--b\r\nContent-Type: text/html\r\n\r\n{page}\r\n--b--\r\n"
    ).encode()


def test_a_text_with_code_and_address_leaves_the_page_unread() -> None:
    found, view = extract_mail(parse(mail(f"{CODE}\r\n\r\n{LINK}")))
    assert view is None
    assert found.code == "482913"
    assert found.link == "https://app.example/verify?token=9d1b6a7c4e0f48f2a3c5"


def test_who_needs_the_page_gets_it_with_the_same_result() -> None:
    parsed = parse(mail(f"{CODE}\r\n\r\n{LINK}"))
    found, view = extract_mail(parsed, with_view=True)
    assert view is not None
    assert (found.code, found.link) == (extract_mail(parsed)[0].code, extract_mail(parsed)[0].link)


def test_a_text_without_an_address_leaves_the_link_to_the_page() -> None:
    found, view = extract_mail(parse(mail(CODE)))
    assert view is not None
    assert found.link == "https://app.example/verify?token=9d1b6a7c4e0f48f2a3c5"


def test_a_stub_text_leaves_the_code_to_the_page() -> None:
    found, view = extract_mail(parse(mail("Please view this message at https://app.example/view in a browser.")))
    assert view is not None
    assert found.code == "482913"
