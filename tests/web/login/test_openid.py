from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from eyewall.web import Application, RequestHandler
from eyewall.web.login import OpenIdMixin
from tests.web.login.provider import Provider, location, result, visit
from tests.web.serving import ask

ATTRIBUTES = {"_OPENID_ENDPOINT": "https://op.example/auth?v=2"}
VALID = b"ns:http://specs.openid.net/auth/2.0\nis_valid:true\n"
AX = "http://openid.net/srv/ax/1.0"
BASE = {"openid.mode": "id_res", "openid.claimed_id": "http://me/", "openid.ns.ax": AX}
EMAIL = {"openid.ax.type.e": "http://axschema.org/contact/email", "openid.ax.value.e": "ann@b.c"}
NAMES = {
    "openid.ax.type.f": "http://axschema.org/namePerson/first",
    "openid.ax.value.f": "Ann",
    "openid.ax.type.l": "http://axschema.org/namePerson/last",
    "openid.ax.value.l": "Bee",
}


@pytest.fixture(autouse=True)
def _deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "OpenIdMixin is deprecated", DeprecationWarning)
        yield


def begin(*args: Any, **kwargs: Any) -> Any:
    return visit(
        OpenIdMixin,
        lambda h: h.authenticate_redirect(*args, **kwargs),
        Provider(),
        "/login?q=1",
        attributes=ATTRIBUTES,
    )


def finish(fields: dict[str, str] | str, answer: Any = VALID) -> tuple[Any, Provider]:
    provider = Provider(answer)
    query = fields if isinstance(fields, str) else urlencode(fields)
    response = visit(
        OpenIdMixin,
        lambda h: h.get_authenticated_user(),
        provider,
        f"/login?{query}",
        attributes=ATTRIBUTES,
    )
    return result(response), provider


def test_a_visitor_is_sent_to_the_provider() -> None:
    address, query = location(begin())
    assert address == "https://op.example/auth"
    assert query["v"] == "2"
    assert query["openid.mode"] == "checkid_setup"
    assert query["openid.return_to"] == "http://example.com/login?q=1"
    assert query["openid.realm"] == "http://example.com/"
    assert query["openid.ax.type.email"] == "http://axschema.org/contact/email"
    assert set(query["openid.ax.required"].split(",")) == {
        "firstname",
        "fullname",
        "lastname",
        "language",
        "email",
        "username",
    }


def test_he_comes_back_where_he_is_told_to_and_little_may_be_asked() -> None:
    query = location(begin("/back", ax_attrs=["email"]))[1]
    assert query["openid.return_to"] == "http://example.com/back"
    assert query["openid.ax.required"] == "email"
    query = location(begin("https://other.example/b", ax_attrs=[]))[1]
    assert query["openid.realm"] == "https://other.example/"
    assert not any(name.startswith("openid.ax") for name in query)
    assert result(begin(ax_attrs=["shoe size"]))["raised"] == "KeyError"


def test_the_provider_is_asked_whether_it_said_so() -> None:
    user, provider = finish({**BASE, **EMAIL, **NAMES, "other": "x"})
    assert user == {
        "first_name": "Ann",
        "last_name": "Bee",
        "name": "Ann Bee",
        "email": "ann@b.c",
        "claimed_id": "http://me/",
    }
    (question,) = provider.questions
    assert (question.method, question.url) == ("POST", "https://op.example/auth?v=2")
    assert question.form == {**BASE, **EMAIL, **NAMES, "openid.mode": "check_authentication"}


@pytest.mark.parametrize(
    "verdict",
    [
        b"",
        b"is_valid:false\n",
        b"xis_valid:true\n",
        b"is_valid:truely\n",
        b"error:is_valid:true",
        b" is_valid:true",
    ],
)
def test_and_nobody_is_believed_without_its_yes(verdict: bytes) -> None:
    outcome, _ = finish({**BASE, **EMAIL}, verdict)
    assert outcome["raised"] == "AuthError"
    assert "Invalid OpenID response" in outcome["message"]


def test_a_long_verdict_is_not_repeated_whole() -> None:
    assert len(finish(BASE, b"x" * 10_000)[0]["message"]) < 300


@pytest.mark.parametrize("mode", ["cancel", "error", "setup_needed"])
def test_a_refusal_is_not_asked_about(mode: str) -> None:
    outcome, provider = finish({**BASE, "openid.mode": mode})
    assert outcome["raised"] == "AuthError"
    assert provider.questions == []


def test_fields_that_come_twice_are_refused() -> None:
    outcome, provider = finish(urlencode(BASE) + "&openid.claimed_id=http://other/")
    assert outcome["raised"] == "AuthError"
    assert provider.questions == []
    outcome, _ = finish("openid.mode=id_res&openid.claimed_id=%FF")
    assert "not UTF-8" in outcome["message"]


@pytest.mark.parametrize(
    "meant", ["http://evil.example/login", "http://example.com/other", "http://example.com:81/login"]
)
def test_an_answer_for_another_site_is_refused(meant: str) -> None:
    outcome, provider = finish({**BASE, "openid.return_to": meant})
    assert "another address" in outcome["message"]
    assert provider.questions == []


def test_an_answer_for_this_one_may_have_come_through_a_proxy() -> None:
    user, _ = finish({**BASE, "openid.return_to": "https://example.com/login?q=1"})
    assert user == {"claimed_id": "http://me/"}


def test_only_what_is_signed_counts() -> None:
    fields = {**BASE, **EMAIL, **NAMES, "openid.signed": "claimed_id,ns.ax,ax.type.f,ax.value.f,ax.type.e"}
    assert finish(fields)[0] == {"first_name": "Ann", "name": "Ann", "claimed_id": "http://me/"}
    fields["openid.signed"] = "mode,ax.type.f,ax.value.f"
    assert finish(fields)[0] == {}


def test_the_provider_chooses_prefix_and_names() -> None:
    fields = {
        "openid.mode": "id_res",
        "openid.ns.ext1": AX,
        "openid.ext1.type.a": "http://axschema.org/pref/language",
        "openid.ext1.value.a": "DE-at",
        "openid.ext1.type.b": "http://axschema.org/namePerson",
        "openid.ext1.count.b": "1",
        "openid.ext1.value.b.1": "Ann B. Bee",
        "openid.ext1.type.c": "http://axschema.org/namePerson/friendly",
        "openid.ext1.value.c": "annie",
        "openid.ext1.type.d": "http://axschema.org/contact/email",
    }
    assert finish(fields)[0] == {"name": "Ann B. Bee", "locale": "de-at", "username": "annie"}


def test_without_a_name_the_mailbox_serves() -> None:
    assert finish({**BASE, **EMAIL})[0]["name"] == "ann"
    assert finish({"openid.mode": "id_res"})[0] == {}


def test_what_the_client_raises_is_passed_on() -> None:
    assert finish(BASE, OSError("no route"))[0]["raised"] == "OSError"


def test_using_it_warns() -> None:
    class Mine(OpenIdMixin):
        pass

    with pytest.warns(DeprecationWarning, match="OpenIdMixin is deprecated and will be removed"):
        Mine()

    seen = []

    class Login(RequestHandler, OpenIdMixin):
        def get(self) -> None:
            self.write("in")

        def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
            seen.append(value)

    class Further(Login):
        pass

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        response = ask(Application([("/", Further)]), "/")
    assert (response.body, seen) == (b"in", [])
    assert [str(one.message) for one in caught] == [
        "OpenIdMixin is deprecated and will be removed in Tornado 6.7"
    ]
