import asyncio

import pytest

from eyewall.web.auth import AuthMixin
from eyewall.web.decorators import (
    addslash,
    authenticated,
    is_absolute,
    removeslash,
    starts_like_a_host,
    stream_request_body,
)
from eyewall.web.errors import HTTPError
from tests.web.stubs import assemble


class Page(AuthMixin):
    user = None
    login = "/login"
    sent = None

    def get_current_user(self):
        return self.user

    def get_login_url(self):
        return self.login

    def redirect(self, url, permanent=False, status=None):
        self.sent = (301 if permanent else 302, url)

    @authenticated
    def secret(self, *args, **kwargs):
        """The doc."""
        return args, kwargs

    @authenticated
    async def later(self):
        return "later"

    @addslash
    def directory(self):
        return "directory"

    @removeslash
    def file(self):
        return "file"


def page(**request):
    return assemble(Page, **request)


def test_authenticated_lets_users_in():
    h = page()
    h.user = "Ben"
    assert h.secret(1, a=2) == ((1,), {"a": 2})
    assert asyncio.run(h.later()) == "later"
    assert h.sent is None
    assert Page.secret.__doc__ == "The doc."


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("login", "location"),
    [
        ("/login", "/login?next=%2Fp%3Fq%3D1+2"),
        ("/login?a=b", "/login?a=b"),
        ("http://auth.test/in", "http://auth.test/in?next=http%3A%2F%2Fexample.com%2Fp%3Fq%3D1+2"),
        ("//auth.test/in", "//auth.test/in?next=http%3A%2F%2Fexample.com%2Fp%3Fq%3D1+2"),
    ],
)
def test_authenticated_sends_others_to_log_in(method, login, location):
    h = page(method=method, uri="/p?q=1 2")
    h.login = login
    h.secret()
    assert h.sent == (302, location)


def test_authenticated_does_not_redirect_a_post():
    h = page(method="POST")
    with pytest.raises(HTTPError) as caught:
        h.secret()
    assert caught.value.status_code == 403


@pytest.mark.parametrize(
    ("uri", "location"),
    [("/a", "/a/"), ("/a?x=1", "/a/?x=1"), ("/ab?", "/ab/"), ("/a/", None), ("/a//", None), ("/", None)],
)
def test_addslash(uri, location):
    h = page(uri=uri)
    result = h.directory()
    assert (result, h.sent) == (("directory", None) if location is None else (None, (301, location)))


@pytest.mark.parametrize(
    ("uri", "location"),
    [("/r/", "/r"), ("/r/?x=1", "/r?x=1"), ("/r/x//", "/r/x"), ("/r", None), ("/", None), ("//", None)],
)
def test_removeslash(uri, location):
    h = page(uri=uri)
    result = h.file()
    assert (result, h.sent) == (("file", None) if location is None else (None, (301, location)))


@pytest.mark.parametrize("path", ["//evil.test", "/\\evil.test", "\\/evil.test", "///evil.test"])
def test_slashes_never_lead_to_another_host(path):
    for attempt, uri in (("directory", path), ("file", path + "/")):
        h = page(uri=uri)
        with pytest.raises(HTTPError, match="cannot redirect path") as caught:
            getattr(h, attempt)()
        assert caught.value.status_code == 403
        assert h.sent is None


@pytest.mark.parametrize(("attempt", "uri"), [("directory", "/a"), ("file", "/a/")])
def test_slashes_are_not_corrected_for_other_methods(attempt, uri):
    with pytest.raises(HTTPError) as caught:
        getattr(page(method="POST", uri=uri), attempt)()
    assert caught.value.status_code == 404


def test_starts_like_a_host():
    assert [starts_like_a_host(p) for p in ("", "/", "/a", "a//", "//", "/\\", "\\\\x", "a")] == [
        False,
        False,
        False,
        False,
        True,
        True,
        True,
        False,
    ]


def test_is_absolute():
    urls = ["http://x", "https://", "/x", "x", "//", "HTTP://x", ""]
    assert [is_absolute(url) for url in urls] == [True, True, True, False, True, False, False]


def test_stream_request_body_marks_handlers_only():
    class Handler:
        _stream_request_body = False

    class Upload(Handler):
        pass

    assert stream_request_body(Upload) is Upload
    assert Upload._stream_request_body is True
    assert Handler._stream_request_body is False
    for wrong in (object, Upload(), "x"):
        if isinstance(wrong, Upload) or wrong in (object, "x"):
            with pytest.raises(TypeError, match="expected subclass of RequestHandler"):
                stream_request_body(wrong)
