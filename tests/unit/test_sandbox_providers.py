"""The catalogue of sandboxes, and the page that describes it."""

import random
import re
from pathlib import Path

import pytest

from tempmail.domain.sandbox import Fault, fault_in
from tempmail.domain.sandbox_providers import COMMON_SWITCHES, PROVIDERS, SandboxProvider, Switch, provider_named
from tempmail.errors import BadRequest
from tempmail.runtime.sandbox import ROOT

DOCS = (Path(__file__).parents[2] / "docs" / "sandboxes.md").read_text("utf-8")

each_provider = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)


@each_provider
def test_the_page_names_every_sandbox_and_each_of_its_switches(provider: SandboxProvider) -> None:
    assert f"| {provider.title} | `…{ROOT}/{provider.name}" in DOCS
    assert {switch.name for switch in provider.all_switches} <= set(re.findall(r"`([a-z_]+)`", DOCS))


def test_the_page_names_every_fault() -> None:
    assert {f"| `{fault}` |" for fault in Fault} <= set(re.findall(r"^\| `[\w-]+` \|", DOCS, re.MULTILINE))


@each_provider
def test_a_new_credential_is_random_and_of_the_providers_form(provider: SandboxProvider) -> None:
    first, second = (provider.new_values(random.Random(seed).choice) for seed in (1, 2))
    for field in provider.fields:
        assert first[field.name].startswith(field.prefix)
        assert len(first[field.name]) == len(field.prefix) + field.length
        assert first[field.name] != second[field.name]


@each_provider
def test_what_is_held_of_a_credential_tells_no_secret(provider: SandboxProvider) -> None:
    values = provider.new_values(random.Random(1).choice)
    held = provider.held(values)
    for field in provider.fields:
        assert (held.get(field.name) == values[field.name]) is not field.is_secret


@each_provider
def test_the_lines_of_use_hold_the_url_and_every_part_of_the_credential(provider: SandboxProvider) -> None:
    values = provider.new_values(random.Random(1).choice)
    lines = "\n".join(provider.usage_lines("http://server.example/base", values))
    assert "http://server.example/base" in lines
    assert all(value in lines for value in values.values())
    assert all(f"<{name}>" in "\n".join(provider.usage_lines("b", {})) for name in values)


@each_provider
def test_every_default_fits_its_own_switch(provider: SandboxProvider) -> None:
    names = [switch.name for switch in provider.all_switches]
    assert len(set(names)) == len(names)
    for switch in provider.all_switches:
        assert switch.checked(switch.default) == switch.default


def test_switches_are_as_given_else_as_before_else_their_defaults() -> None:
    resend = provider_named("resend")
    found = resend.switches_with({"fault": "500"}, {"fault": "429", "rate_per_s": 5, "gone": 1})
    assert (found["fault"], found["rate_per_s"], found["timeout_s"], "gone" in found) == ("500", 5, 60, False)


@pytest.mark.parametrize(("value", "fits"), [(-1, False), (0, True), (300, True), (301, False), (True, False)])
def test_a_number_has_its_limits(value: object, fits: bool) -> None:
    [switch] = [each for each in COMMON_SWITCHES if each.name == "timeout_s"]
    if fits:
        assert switch.checked(value) == value
    else:
        with pytest.raises(BadRequest, match="timeout_s: a whole number from 0 to 300"):
            switch.checked(value)


def test_a_text_has_its_limit() -> None:
    switch = Switch("x", "", "")
    assert switch.checked("x" * 2_048)
    with pytest.raises(BadRequest, match="at most 2048"):
        switch.checked("x" * 2_049)


@pytest.mark.parametrize(
    ("recipients", "fault"),
    [
        (["a@x.example"], None),
        (["a@x.example", "b+fault-cut@x.example", "c+fault-500@x.example"], Fault.CUT),
        (["a+FAULT-Quota@x.example"], Fault.QUOTA),
        (["a+fault-nothing@x.example"], None),
        (["fault-429@x.example"], None),
        (["a+tag+fault-429@x.example"], Fault.RATE),
    ],
)
def test_a_recipients_tag_asks_for_a_fault(recipients: list[str], fault: Fault | None) -> None:
    assert fault_in(recipients) is fault
