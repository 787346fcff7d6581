from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, quote

import pytest

from eyewall.web.login import OAuthMixin, TwitterMixin
from eyewall.web.login.signature import base_string, hmac_sha1
from tests.web.login.provider import Provider, Question, location, result, visit

GRANTED = b"oauth_token=zxcv&oauth_token_secret=1234"
ACCESS = b"oauth_token=uiop&oauth_token_secret=5678&screen_name=foo"
COOKIE = '_oauth_request_token="enhjdg==|MTIzNA=="'
CONSUMER = {"key": "ck", "secret": "cs&"}


async def get_user(handler: Any, access_token: dict[str, Any]) -> dict[str, Any]:
    return {"id": 7} if access_token["secret"] != "nobody" else {}


ATTRIBUTES = {
    "_OAUTH_REQUEST_TOKEN_URL": "https://p.example/request",
    "_OAUTH_AUTHORIZE_URL": "https://p.example/authorize",
    "_OAUTH_ACCESS_TOKEN_URL": "https://p.example/access",
    "_oauth_consumer_token": lambda self: CONSUMER,
    "_oauth_get_user_future": get_user,
}


def check_signature(question: Question, token_secret: str = "", consumer: str = CONSUMER["secret"]) -> None:
    """As the provider does it: from what came over the wire."""
    fields = {**question.query, **question.form}
    signature = fields.pop("oauth_signature")
    assert fields["oauth_signature_method"] == "HMAC-SHA1"
    assert fields["oauth_version"] == "1.0"
    assert fields["oauth_timestamp"].isdecimal()
    assert len(fields["oauth_nonce"]) >= 16
    assert signature == hmac_sha1(
        base_string(question.method, question.address, fields), consumer, token_secret
    )


def begin(provider: Provider, *args: Any, **attributes: Any) -> Any:
    return visit(
        OAuthMixin,
        lambda h: h.authorize_redirect(*args),
        provider,
        "/login?here=1",
        attributes={**ATTRIBUTES, **attributes},
    )


def finish(
    provider: Provider, path: str = "/login?oauth_token=zxcv", cookie: str = COOKIE, **attributes: Any
) -> Any:
    return visit(
        OAuthMixin,
        lambda h: h.get_authenticated_user(),
        provider,
        path,
        cookie=cookie,
        attributes={**ATTRIBUTES, **attributes},
    )


def test_a_visitor_is_sent_away_with_the_token_that_waits_in_a_cookie() -> None:
    provider = Provider(GRANTED)
    response = begin(provider)
    assert location(response) == ("https://p.example/authorize", {"oauth_token": "zxcv"})
    assert response.headers["Set-Cookie"].startswith(COOKIE)
    assert "HttpOnly" in response.headers["Set-Cookie"]
    assert "SameSite=Lax" in response.headers["Set-Cookie"]
    (question,) = provider.questions
    assert question.address == "https://p.example/request"
    assert question.query["oauth_consumer_key"] == "ck"
    assert "oauth_token" not in question.query
    check_signature(question)


def test_version_1_0a_tells_the_callback_when_it_asks_for_the_token() -> None:
    provider = Provider(GRANTED)
    response = begin(provider, "/back?x=1", {"scope": "a b"})
    callback = "http://example.com/back?x=1"
    assert location(response)[1] == {"oauth_token": "zxcv", "oauth_callback": callback}
    (question,) = provider.questions
    assert question.query["oauth_callback"] == callback
    assert question.query["scope"] == "a b"
    check_signature(question)


def test_version_1_0_tells_it_to_the_visitor_only() -> None:
    provider = Provider(GRANTED)
    response = begin(provider, "/back", {"scope": "a"}, _OAUTH_VERSION="1.0")
    assert location(response)[1]["oauth_callback"] == "http://example.com/back"
    assert not {"oauth_callback", "scope"} & set(provider.questions[0].query)


def test_out_of_band_the_address_is_shown() -> None:
    provider = Provider(GRANTED)
    response = begin(provider, "oob")
    assert (response.status, response.body) == (200, b"https://p.example/authorize?oauth_token=zxcv")
    assert provider.questions[0].query["oauth_callback"] == "oob"


def test_a_provider_that_takes_no_callbacks_is_not_asked_with_one() -> None:
    assert result(begin(Provider(), "/back", _OAUTH_NO_CALLBACKS=True)) == {
        "raised": "AuthError",
        "message": "This service does not support oauth_callback",
    }
    assert begin(Provider(GRANTED), _OAUTH_NO_CALLBACKS=True).status == 302


@pytest.mark.parametrize("answer", [b"", b"oauth_token=x", b"<html>", GRANTED + b"&oauth_token=y"])
def test_nobody_is_sent_anywhere_without_a_token(answer: bytes) -> None:
    response = begin(Provider(answer))
    assert result(response)["raised"] == "BadProviderAnswer"
    assert "Set-Cookie" not in response.headers


def test_what_the_client_raises_is_passed_on() -> None:
    assert result(begin(Provider(OSError("no route"))))["raised"] == "OSError"


def test_a_user_comes_back() -> None:
    provider = Provider(ACCESS)
    response = finish(provider, "/login?oauth_token=zxcv&oauth_verifier=v%20v")
    token = {"key": "uiop", "secret": "5678", "screen_name": "foo"}
    assert result(response) == {"id": 7, "access_token": token}
    (question,) = provider.questions
    assert question.address == "https://p.example/access"
    assert question.query["oauth_token"] == "zxcv"
    assert question.query["oauth_verifier"] == "v v"
    check_signature(question, "1234")
    assert 'token="";' in response.headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("cookie", "message"),
    [
        ("", "Missing OAuth request token cookie"),
        ("_oauth_request_token=YQ==|MTIzNA==", "Request token does not match cookie"),
        ("_oauth_request_token=abc", "not one of ours"),
        ("_oauth_request_token=a|b|c", "not one of ours"),
        ("_oauth_request_token=/w==|/w==", "not one of ours"),
        ("_oauth_request_token=***|***", "not one of ours"),
    ],
)
def test_a_login_that_this_visitor_has_not_begun(cookie: str, message: str) -> None:
    provider = Provider(ACCESS)
    outcome = result(finish(provider, cookie=cookie))
    assert outcome["raised"] == "AuthError"
    assert message in outcome["message"]
    assert provider.questions == []


def test_a_token_beyond_ascii_is_compared() -> None:
    outcome = result(finish(Provider(), "/login?oauth_token=" + quote("zxcvé")))
    assert outcome["message"] == "Request token does not match cookie"


def test_without_a_token_the_request_is_a_bad_one() -> None:
    assert result(finish(Provider(), "/login"))["raised"] == "MissingArgumentError"


def test_a_provider_without_an_access_token_or_a_user() -> None:
    assert result(finish(Provider(b"oauth_token=a")))["raised"] == "BadProviderAnswer"
    outcome = result(finish(Provider(b"oauth_token=a&oauth_token_secret=nobody")))
    assert outcome == {"raised": "AuthError", "message": "Error getting user"}


def test_what_a_subclass_must_say() -> None:
    attributes = {name: value for name, value in ATTRIBUTES.items() if name.isupper()}
    response = visit(OAuthMixin, lambda h: h.authorize_redirect(), Provider(), attributes=attributes)
    assert result(response)["raised"] == "NotImplementedError"
    attributes["_oauth_consumer_token"] = lambda self: CONSUMER
    response = visit(
        OAuthMixin,
        lambda h: h.get_authenticated_user(),
        Provider(ACCESS),
        "/login?oauth_token=zxcv",
        cookie=COOKIE,
        attributes=attributes,
    )
    assert result(response)["raised"] == "NotImplementedError"


TWITTER = {"twitter_consumer_key": "ck", "twitter_consumer_secret": "cs"}
TOKEN = {"key": "k", "secret": "s"}


def twitter(act: Any, provider: Provider, **options: Any) -> Any:
    return visit(TwitterMixin, act, provider, **{**TWITTER, **options})


def test_twitter_signs_what_is_asked() -> None:
    provider = Provider({"a": 1})
    assert result(twitter(lambda h: h.twitter_request("/users/x", TOKEN, count="3 4"), provider)) == {"a": 1}
    (question,) = provider.questions
    assert (question.method, question.address) == ("GET", "https://api.twitter.com/1.1/users/x.json")
    assert question.query["count"] == "3 4"
    check_signature(question, "s", "cs")


def test_twitter_signs_what_is_posted() -> None:
    provider = Provider([1])
    posted = {"status": "a b&ö"}
    assert result(twitter(lambda h: h.twitter_request("/update", TOKEN, post_args=posted), provider)) == [1]
    (question,) = provider.questions
    assert (question.method, question.form) == ("POST", posted)
    check_signature(question, "s", "cs")


def test_twitter_is_asked_whole_addresses_and_without_a_user() -> None:
    provider = Provider({})
    twitter(lambda h: h.twitter_request("http://search.example/s.json", {}, q="a"), provider)
    assert provider.questions[0].url == "http://search.example/s.json?q=a"


def test_twitter_answers_are_read_strictly() -> None:
    outcome = result(twitter(lambda h: h.twitter_request("/x", TOKEN), Provider(b'{"id":1,"id":2}')))
    assert outcome["raised"] == "BadProviderAnswer"


def test_twitter_users_have_their_names() -> None:
    provider = Provider(ACCESS, {"screen_name": "foo", "name": "Foo"})
    response = twitter(
        lambda h: h.get_authenticated_user(), provider, path="/login?oauth_token=zxcv", cookie=COOKIE
    )
    token = {"key": "uiop", "secret": "5678", "screen_name": "foo"}
    assert result(response) == {"screen_name": "foo", "name": "Foo", "username": "foo", "access_token": token}
    check_signature(provider.questions[1], "5678", "cs")


@pytest.mark.parametrize("answer", [{}, [], None])
def test_twitter_knows_nobody(answer: Any) -> None:
    response = twitter(
        lambda h: h.get_authenticated_user(),
        Provider(ACCESS, answer),
        path="/login?oauth_token=zxcv",
        cookie=COOKIE,
    )
    assert result(response)["message"] == "Error getting user"


def test_twitter_without_asking_again() -> None:
    response = twitter(lambda h: h.authenticate_redirect("/back"), Provider(GRANTED))
    assert location(response) == ("https://api.twitter.com/oauth/authenticate", {"oauth_token": "zxcv"})


def test_twitter_needs_its_settings() -> None:
    outcome = result(visit(TwitterMixin, lambda h: h.twitter_request("/x", TOKEN), Provider()))
    assert outcome == {
        "raised": "MissingSettingError",
        "message": "You must define the 'twitter_consumer_key' setting in your application to use Twitter OAuth",
    }


def test_parameters_of_a_request_can_be_had() -> None:
    class Client(OAuthMixin):
        def _oauth_consumer_token(self) -> dict[str, Any]:
            return CONSUMER

    url = "http://www.example.com/api?q=1"
    fields = Client()._oauth_request_parameters(url, TOKEN, {"foo": "bar é"}, method="POST")
    signature = fields.pop("oauth_signature")
    text = base_string("POST", url, {**fields, "foo": "bar é"})
    assert signature == hmac_sha1(text, CONSUMER["secret"], "s")
    assert dict(parse_qsl(text.split("&")[2].replace("%3D", "=").replace("%26", "&")))["q"] == "1"
