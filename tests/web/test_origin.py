import pytest

from eyewall.web.errors import HTTPError
from eyewall.web.origin import OriginMixin, cross_origin_complaint, origin_is_host
from tests.web.stubs import assemble

TRUSTED = "https://trusted.example.com"


def complaint(headers, method="POST", mixin=OriginMixin, host="Example.com:8080"):
    h = assemble(mixin, settings={"trusted_origins": [TRUSTED]}, method=method, headers=headers, host=host)
    try:
        h._refuse_cross_origin()
    except HTTPError as error:
        return error.get_message() if error.status_code == 403 else error
    return None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.test"},
        {"Sec-Fetch-Site": "cross-site", "Origin": TRUSTED},
        {"Origin": TRUSTED},
        {"Origin": "http://example.com:8080"},
        {"Origin": "https://EXAMPLE.com:8080"},
        {"Origin": "http://example.com:8080/foo"},
    ],
)
def test_passes(headers):
    assert complaint(headers) is None


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, "Sec-Fetch-Site cross-site & origin None not allowed"),
        (
            {"Sec-Fetch-Site": "same-site", "Origin": "https://other.example.com"},
            "Sec-Fetch-Site same-site & origin 'https://other.example.com' not allowed",
        ),
        (
            {"Sec-Fetch-Site": "cross-site", "Origin": "http://example.com:8080"},
            "Sec-Fetch-Site cross-site & origin 'http://example.com:8080' not allowed",
        ),
        ({"Sec-Fetch-Site": "same-origin,none"}, "Sec-Fetch-Site same-origin,none & origin None not allowed"),
        ({"Sec-Fetch-Site": ""}, "Sec-Fetch-Site  & origin None not allowed"),
        ({"Origin": "https://evil.test"}, "Origin 'https://evil.test' not allowed"),
        ({"Origin": TRUSTED + "/"}, f"Origin '{TRUSTED}/' not allowed"),
        ({"Origin": "http://trusted.example.com"}, "Origin 'http://trusted.example.com' not allowed"),
        ({"Origin": "null"}, "Origin 'null' not allowed"),
        ({"Origin": ""}, "Origin '' not allowed"),
        ({"Origin": "example.com:8080"}, "Origin 'example.com:8080' not allowed"),
        ({"Origin": "http://u@example.com:8080"}, "Origin 'http://u@example.com:8080' not allowed"),
        ({"Origin": "http://example.com"}, "Origin 'http://example.com' not allowed"),
        ({"Origin": "http://[bad"}, "Origin 'http://[bad' not allowed"),
    ],
)
def test_refuses(headers, message):
    assert complaint(headers) == message


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_safe_methods_are_not_checked(method):
    assert complaint({"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.test"}, method=method) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_others_are(method):
    assert complaint({"Sec-Fetch-Site": "cross-site"}, method=method) is not None


def test_the_application_decides_about_other_origins():
    class Subdomains(OriginMixin):
        def check_trusted_origin(self, origin):
            return origin.endswith(".example.com")

    assert complaint({"Origin": "https://app.example.com"}, mixin=Subdomains) is None
    assert (
        complaint({"Sec-Fetch-Site": "same-site", "Origin": "https://a.example.com"}, mixin=Subdomains)
        is None
    )
    assert complaint({"Origin": "https://evil.test"}, mixin=Subdomains) is not None


def test_trust_is_not_asked_about_own_requests():
    def never(origin):
        raise AssertionError(origin)

    assert cross_origin_complaint("same-origin", "http://x", "h", never) is None
    assert cross_origin_complaint(None, "http://h", "h", never) is None
    assert cross_origin_complaint(None, None, "h", never) is None


def test_log_lines_are_bounded():
    assert len(complaint({"Sec-Fetch-Site": "x" * 9999, "Origin": "y" * 9999})) < 600
    assert len(complaint({"Origin": "y" * 9999})) < 300


def test_an_empty_host_matches_nothing():
    assert not origin_is_host("http://", "")
