"""Templates of the mail_push sandbox: how a mail is made of one."""

import time

import pytest

from tempmail.domain.sandbox_templates import FREE_FORM, MAX_RENDERED_CHARS, Rendered, Template, render, variables_in
from tempmail.errors import BadRequest


def template(subject: str = "s", html: str = "", text: str = "t") -> Template:
    return Template(2, "", subject, html, text)


@pytest.mark.parametrize(
    ("place", "in_text", "in_html"),
    [
        ("{{v}}", "<&>", "&lt;&amp;&gt;"),
        ("{{ v }}", "<&>", "&lt;&amp;&gt;"),
        ("{{{v}}}", "<&>", "<&>"),
        ("{{{ v }}}", "<&>", "<&>"),
        ("{{other}}", "", ""),
        ("{v}", "{v}", "{v}"),
        ("{{v}", "{{v}", "{{v}"),
        ("{{}}", "{{}}", "{{}}"),
        ("{{{v}}", "{<&>", "{&lt;&amp;&gt;"),
        ("{{v v}}", "{{v v}}", "{{v v}}"),
        ("{{v}}{{v}}", "<&><&>", "&lt;&amp;&gt;&lt;&amp;&gt;"),
    ],
)
def test_a_place_becomes_its_value(place: str, in_text: str, in_html: str) -> None:
    made = render(template(f"a{place}b", f"a{place}b", f"a{place}b"), {"v": "<&>"})
    assert made == Rendered(f"a{in_text}b", f"a{in_html}b", f"a{in_text}b")


def test_names_may_be_of_any_script() -> None:
    assert render(template("{{姓名}} {{order-no.1}}"), {"姓名": "张三", "order-no.1": "7"}).subject == "张三 7"


def test_a_part_that_comes_out_empty_is_not_there() -> None:
    assert render(FREE_FORM, {"html": "<p>"}) == Rendered("", "<p>", None)


@pytest.mark.parametrize("size", [MAX_RENDERED_CHARS, MAX_RENDERED_CHARS + 1])
def test_a_variable_that_stands_many_times_makes_no_mail_without_end(size: int) -> None:
    many = template(text="{{v}}" * 1024)
    variables = {"v": "x" * (MAX_RENDERED_CHARS // 1024)}
    if size > MAX_RENDERED_CHARS:
        many = template(text="{{w}}" + many.text)
        variables["w"] = "x"
        with pytest.raises(BadRequest, match="too large"):
            render(many, variables)
    else:
        assert len(render(many, variables).text or "") == size


def test_a_template_of_nothing_but_braces_is_read_in_linear_time() -> None:
    began = time.process_time()
    for hostile in ("{" * 1_000_000, "{{a" * 300_000, "{{ " * 300_000, "{{" + " " * 1_000_000):
        render(template(text=hostile), {})
    assert time.process_time() - began < 2


def test_the_variables_of_a_template_are_told_once_each() -> None:
    assert variables_in(template("{{b}} {{a}}", "{{{a}}}", "{{c}} {{b}}")) == ("b", "a", "c")
