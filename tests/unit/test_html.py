"""The view of an HTML body: what is visible, how blocks and cells are laid out, links, and bounds."""

import pytest

from tempmail.domain.html import MAX_LINKS, MAX_NODES, MAX_TEXT_CHARS, read_html


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\nTwo\n"),
        ("<p>One <b>and</b>\n two</p>", "One and two\n"),
        ("One<br>Two", "One\nTwo"),
        ("<table><tr><td>A1</td><td>B2</td></tr><tr><td>C3</td><td>D4</td></tr></table>", "A1\tB2\nC3\tD4\n"),
        ("<div>4</div><div>8</div><div>2</div><div>9</div>", "4829\n"),
        ("<table><tr><td>4</td><td>8</td><td>2</td><td>9</td></tr></table>", "4829\n"),
        ("<p>caf&eacute; &amp; &#x34;&#50;</p>", "café & 42\n"),
        ("<style>p{color:#202123}</style><script>var a=1</script><p>x</p><!-- 123456 -->", "x\n"),
        ("<p>a</p><p hidden>b</p><p style='DISPLAY : none'>c</p><p style='visibility:hidden'>d</p>", "a\n"),
        ("<style>.x{display:none}</style><p class='y x'>b</p><p>a</p>", "a\n"),
        ("<style>@media print{.x{display:none}}</style><p class=x>a</p>", "a\n"),
        ("<div style='font-size:0px'><div style='font-size:15px'>seen</div>not seen</div>", "seen\n"),
        ("<img alt='Logo'><input value='123456'><p title='654321'>a</p>", "a\n"),
        ("<pre>a\n  b</pre>", "a\n  b\n"),
        ("", ""),
    ],
)
def test_visible_text(html: str, text: str) -> None:
    assert read_html(html).text == text


def test_hidden_text_is_kept_apart_as_preheader() -> None:
    view = read_html("<div style='max-height:0;overflow:hidden'>918273 is your code</div><p>Hello</p>")

    assert (view.text, view.preheader) == ("Hello\n", "918273 is your code")


def test_a_link_has_its_words_and_its_place() -> None:
    view = read_html("<p>Please <a href=' https://acorn.example/c?a=1&amp;b=2 '>confirm <b>now</b></a>.</p>")

    (link,) = view.links
    assert (link.url, link.text, view.text[link.start : link.end]) == (
        "https://acorn.example/c?a=1&b=2",
        "confirm now",
        "confirm now",
    )


def test_a_link_s_place_follows_joined_digits() -> None:
    view = read_html("<div>4</div><div>8</div><div>2</div><div>9</div><a href='https://acorn.example'>go</a>")

    (link,) = view.links
    assert view.text[link.start : link.end] == "go"


def test_an_image_in_a_link_gives_its_words() -> None:
    view = read_html("<a href='https://acorn.example/c'><img alt='Confirm my account'></a>")

    assert (view.links[0].text, view.alts) == ("Confirm my account", ("Confirm my account",))


def test_large_type_is_marked() -> None:
    view = read_html("<p>Your code</p><p style='font: 700 32px/1 Arial'>482913</p><h2>Title</h2><p>small</p>")

    assert [view.text[a:b] for a, b in view.prominent] == ["482913", "Title"]


def test_a_quotation_is_marked() -> None:
    view = read_html("<p>new</p><blockquote type='cite'>old 856476</blockquote>")

    assert [view.text[a:b].strip() for a, b in view.quoted] == ["old 856476"]


def test_text_stops_at_its_bound() -> None:
    view = read_html("<p>" + "word " * MAX_TEXT_CHARS + "</p><p>after</p>")

    assert "after" not in view.text


def test_links_stop_at_their_bound() -> None:
    assert len(read_html("<a href='https://a.example'>x</a>" * (MAX_LINKS + 1)).links) == MAX_LINKS


@pytest.mark.parametrize("opening", ["<div>", "<b>", "<table><tr><td>", "<a href='https://a.example'>", "<blockquote>"])
def test_deep_nesting_is_walked_without_recursion(opening: str) -> None:
    assert "end" in read_html(opening * 2_000 + "end").text


def test_a_tree_larger_than_the_bound_is_cut() -> None:
    view = read_html("<i>x</i>" * (MAX_NODES + 1))

    assert 0 < len(view.text) <= MAX_NODES


@pytest.mark.parametrize("length", [10, 400, 401, 5_000])
def test_a_style_of_any_length_is_read(length: int) -> None:
    style = "display:none".rjust(length, ";")

    assert read_html(f"<p>seen</p><p style='{style}'>hidden</p>").text.split() == ["seen"]
