"""The table from errors to HTTP answers."""

import inspect

import pytest

from tempmail import errors
from tempmail.web.problems import PROBLEMS, Malformed, NotReady, enveloped, is_enveloped, problem_of

LEAVES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, errors.TempmailError) and not cls.__subclasses__()
]


def make(cls: type[errors.TempmailError], text: str = "its own words") -> errors.TempmailError:
    if cls is errors.ConfigError:
        return errors.ConfigError([text])
    if cls is errors.Throttled:
        return errors.Throttled(text, retry_after_s=7)
    if cls is errors.ProviderRateLimited:
        return errors.ProviderRateLimited(text, retry_after_s=7)
    return cls(text)


@pytest.mark.parametrize("cls", LEAVES, ids=lambda cls: cls.__name__)
def test_every_error_of_the_tree_has_a_row_of_its_own(cls: type[errors.TempmailError]) -> None:
    assert cls in PROBLEMS


@pytest.mark.parametrize("cls", LEAVES, ids=lambda cls: cls.__name__)
def test_temporary_errors_say_when_to_come_back_and_permanent_ones_are_the_callers(
    cls: type[errors.TempmailError],
) -> None:
    problem = problem_of(make(cls), request_id="r")
    if issubclass(cls, errors.Transient):
        assert problem.status in (429, 503)
        assert dict(problem.headers)[b"retry-after"]
    elif issubclass(cls, errors.Permanent):
        assert 400 <= problem.status < 500


@pytest.mark.parametrize(
    "error",
    [errors.StoreUnavailable, errors.StoreFull, errors.ObjectsUnavailable, errors.NoRoom, errors.Overloaded],
)
def test_words_about_disks_and_buckets_stay_inside(error: type[errors.Transient]) -> None:
    assert "s3://bucket" not in str(problem_of(error("s3://bucket is gone"), request_id="r").body)


def test_an_unknown_error_shows_its_id_and_nothing_else() -> None:
    problem = problem_of(ZeroDivisionError("secret"), request_id="abc")
    assert (problem.status, problem.body) == (500, {"error": "Internal Server Error", "request_id": "abc"})


def test_a_class_without_a_row_takes_its_parents() -> None:
    class Odd(errors.NotFound):
        pass

    assert problem_of(Odd("no such thing"), request_id="r").body == {"error": "no such thing"}
    assert problem_of(Odd("no such thing"), request_id="r").status == 404


def test_throttled_answers_its_own_wait() -> None:
    problem = problem_of(errors.Throttled("Too Many Requests", retry_after_s=7), request_id="r")
    assert (problem.status, problem.headers) == (429, ((b"retry-after", b"7"),))


def test_a_malformed_body_says_where() -> None:
    problem = problem_of(Malformed("Expected `str` - at `$.local`"), request_id="r")
    assert problem.body == {"error": "Bad Request", "detail": "Expected `str` - at `$.local`"}


def test_not_ready_gives_its_reasons() -> None:
    problem = problem_of(NotReady(["the disk is nearly full"]), request_id="r")
    assert problem.status == 503
    assert problem.body["reasons"] == ["the disk is nearly full"]
    assert problem.body["ready"] is False


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/api/v1/mails", True), ("/api/v1/mails/x/y", True), ("/api/v1/mailsx", False), ("/api/v1/messages", False)],
)
def test_the_envelope_is_for_mail_to_the_future(path: str, expected: bool) -> None:
    assert is_enveloped(path) is expected


@pytest.mark.parametrize("cls", LEAVES, ids=lambda cls: cls.__name__)
def test_every_problem_has_a_name_in_the_envelope(cls: type[errors.TempmailError]) -> None:
    problem = problem_of(make(cls), request_id="r")
    told = enveloped(problem.body, problem.status)
    assert (told["code"], told["message"], told["data"]) == (problem.status, problem.body["error"], None)
    assert told["error"]
    assert enveloped(problem.body, problem.status, "quota_reached")["error"] == "quota_reached"
