from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from eyewall.web.login import FacebookGraphMixin, GoogleOAuth2Mixin, OAuth2Mixin
from tests.web.login.provider import Provider, location, result, visit

ATTRIBUTES = {"_OAUTH_AUTHORIZE_URL": "https://p.example/auth?tenant=1"}
GOOGLE = {"key": "K", "secret": "S&"}
TOKEN = {"access_token": "t", "expires_in": 3600}


def oauth2(act: Any, provider: Provider | None = None) -> Any:
    return visit(OAuth2Mixin, act, provider or Provider(), attributes=ATTRIBUTES)


def test_a_visitor_is_sent_to_the_provider() -> None:
    with pytest.warns(DeprecationWarning, match="client_secret"):
        response = oauth2(
            lambda h: h.authorize_redirect(
                "https://me/cb?a=b", "id", "secret", {"state": "x y"}, ["email", "profile"]
            )
        )
    assert location(response) == (
        "https://p.example/auth",
        {
            "tenant": "1",
            "response_type": "code",
            "redirect_uri": "https://me/cb?a=b",
            "client_id": "id",
            "state": "x y",
            "scope": "email profile",
        },
    )
    assert b"secret" not in response.raw


def test_only_what_is_known_is_told() -> None:
    assert location(oauth2(lambda h: h.authorize_redirect()))[1] == {"tenant": "1", "response_type": "code"}
    response = oauth2(
        lambda h: h.authorize_redirect(client_id="a", extra_params={"client_id": "b"}, scope=[])
    )
    assert location(response)[1]["client_id"] == "b"
    assert "scope" not in location(response)[1]


def test_a_request_with_a_token() -> None:
    provider = Provider({"a": 1})
    response = oauth2(lambda h: h.oauth2_request("https://api/x?v=2#f", "to&ken", p="q r"), provider)
    assert result(response) == {"a": 1}
    assert provider.questions[0].url == "https://api/x?v=2&access_token=to%26ken&p=q+r#f"
    assert provider.questions[0].method == "GET"


def test_a_request_that_posts() -> None:
    provider = Provider([1], None)
    assert result(oauth2(lambda h: h.oauth2_request("https://api/x", post_args={"m": "é &"}), provider)) == [
        1
    ]
    assert (provider.questions[0].method, provider.questions[0].form) == ("POST", {"m": "é &"})
    assert provider.questions[0].url == "https://api/x"
    assert result(oauth2(lambda h: h.oauth2_request("https://api/x", post_args={}), provider)) is None
    assert provider.questions[1].method == "POST"


@pytest.mark.parametrize("answer", [b"", b"nothing", b'{"id":1,"id":2}', b'"\xff"'])
def test_answers_that_are_not_taken(answer: bytes) -> None:
    outcome = result(oauth2(lambda h: h.oauth2_request("https://api/x"), Provider(answer)))
    assert outcome["raised"] == "BadProviderAnswer"


def google(*args: Any, answer: Any = TOKEN, **settings: Any) -> tuple[Any, Provider]:
    provider = Provider(answer)
    return result(
        visit(GoogleOAuth2Mixin, lambda h: h.get_authenticated_user(*args), provider, **settings)
    ), provider


def test_google_changes_a_code_into_a_token() -> None:
    outcome, provider = google("https://me/cb", "code 1", google_oauth=GOOGLE)
    assert outcome == TOKEN
    (question,) = provider.questions
    assert question.url == "https://www.googleapis.com/oauth2/v4/token"
    assert question.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert question.form == {
        "redirect_uri": "https://me/cb",
        "code": "code 1",
        "client_id": "K",
        "client_secret": "S&",
        "grant_type": "authorization_code",
    }


def test_google_needs_the_setting_only_for_what_it_is_not_told() -> None:
    _, provider = google("u", "c", "mine", "own")
    assert (provider.questions[0].form["client_id"], provider.questions[0].form["client_secret"]) == (
        "mine",
        "own",
    )
    _, provider = google("u", "c", "mine", google_oauth=GOOGLE)
    assert (provider.questions[0].form["client_id"], provider.questions[0].form["client_secret"]) == (
        "mine",
        "S&",
    )
    outcome, _ = google("u", "c")
    assert outcome["raised"] == "KeyError"


@pytest.mark.parametrize("answer", [b"nothing", [1], "text", b'{"access_token":"a","access_token":"b"}'])
def test_google_answers_that_are_not_taken(answer: Any) -> None:
    outcome, _ = google("u", "c", answer=answer, google_oauth=GOOGLE)
    assert outcome["raised"] == "BadProviderAnswer"


def facebook(*answers: Any, **kwargs: Any) -> tuple[Any, Provider]:
    provider = Provider(*answers)
    return result(
        visit(
            FacebookGraphMixin,
            lambda h: h.get_authenticated_user("https://me/cb", "id", "sec", "code", **kwargs),
            provider,
        )
    ), provider


def test_facebook_tells_who_it_is() -> None:
    user, provider = facebook(TOKEN, {"id": "1", "name": "N", "mail": "m", "more": 1}, extra_fields={"mail"})
    assert user == {
        "id": "1",
        "name": "N",
        "mail": "m",
        "first_name": None,
        "last_name": None,
        "locale": None,
        "picture": None,
        "link": None,
        "access_token": "t",
        "session_expires": "3600",
    }
    asked, me = provider.questions
    assert asked.address == "https://graph.facebook.com/oauth/access_token"
    assert asked.query == {
        "redirect_uri": "https://me/cb",
        "code": "code",
        "client_id": "id",
        "client_secret": "sec",
    }
    assert me.address == "https://graph.facebook.com/me"
    assert me.query["appsecret_proof"] == hmac.new(b"sec", b"t", hashlib.sha256).hexdigest()
    assert set(me.query["fields"].split(",")) >= {"mail", "id", "name"}


def test_facebook_may_know_nobody() -> None:
    assert facebook(TOKEN, b"null")[0] is None


@pytest.mark.parametrize(
    "answers",
    [
        (b"access_token=t",),
        ({},),
        ({"access_token": ""},),
        ({"access_token": 1},),
        ([],),
        (b'{"access_token":"a","access_token":"b"}',),
        (TOKEN, []),
        (TOKEN, b"{"),
        (TOKEN, b'{"id":"1","id":"2"}'),
    ],
)
def test_facebook_answers_that_are_not_taken(answers: Any) -> None:
    assert facebook(*answers)[0]["raised"] == "BadProviderAnswer"


def test_facebook_is_asked_by_path() -> None:
    provider = Provider({"ok": 1})
    act = visit(
        FacebookGraphMixin,
        lambda h: h.facebook_request("/me/feed", "T", post_args={"m": "x"}, z="y"),
        provider,
    )
    assert result(act) == {"ok": 1}
    assert provider.questions[0].url == "https://graph.facebook.com/me/feed?access_token=T&z=y"
    assert provider.questions[0].form == {"m": "x"}
