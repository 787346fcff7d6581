import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.guard import profile
from eyewall.http import forms
from eyewall.http.errors import HTTPInputError
from eyewall.http.formconfig import ParseBodyConfig, ParseMultipartConfig, ParseUrlEncodedConfig
from eyewall.http.forms import (
    HTTPFile,
    parse_body_arguments,
    parse_multipart_form_data,
    set_parse_body_config,
)
from eyewall.http.headers import HTTPHeaders

URLENCODED = "application/x-www-form-urlencoded"
BODY = (
    b'--1234\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    b'--1234\r\nContent-Disposition: form-data; name="a"; filename=""\r\n\r\n2\r\n'
    b'--1234\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\nfile\r\n'
    b'--1234\r\nContent-Disposition: form-data; name="f"; filename="y"\r\nContent-Type: a/b\r\n\r\n\r\n'
    b"--1234--\r\n"
)


@pytest.fixture(autouse=True)
def _defaults(monkeypatch):
    monkeypatch.setattr(forms, "_configured", None)


def parse(content_type, body, headers=None, **options):
    arguments, files = {}, {}
    parse_body_arguments(content_type, body, arguments, files, headers, **options)
    return arguments, files


@pytest.mark.parametrize("content_type", [URLENCODED, URLENCODED + "; charset=UTF-8", URLENCODED.title()])
def test_urlencoded(content_type):
    assert parse(content_type, b"a=1&b=&c&a=2+3%20%ff") == (
        {"a": [b"1", b"2 3 \xff"], "b": [b""], "c": [b""]},
        {},
    )


def test_results_are_added():
    arguments, files = {"a": [b"0"]}, {}
    parse_body_arguments(URLENCODED, b"a=1", arguments, files)
    parse_multipart_form_data(b"1234", BODY, arguments, files)
    assert arguments == {"a": [b"0", b"1", b"1", b"2"]}


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=1234",
        'multipart/form-data; x="a;b"; BOUNDARY="1234"',
        "Multipart/Form-Data;boundary=1234;charset=utf-8",
    ],
)
def test_multipart(content_type):
    arguments, files = parse(content_type, BODY)
    assert arguments == {"a": [b"1", b"2"]}
    assert [(file.filename, file["body"], file.content_type) for file in files["f"]] == [
        ("x", b"file", "application/unknown"),
        ("y", b"", "a/b"),
    ]
    assert isinstance(files["f"][0], HTTPFile)


def test_a_boundary_in_quotes():
    arguments, files = {}, {}
    parse_multipart_form_data(b'"1234"', BODY, arguments, files)
    assert list(files) == ["f"]


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "multipart/mixed; boundary=1234", URLENCODED + "x"]
)
def test_other_media_types(content_type):
    assert parse(content_type, BODY) == ({}, {})


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=é",
        "multipart/form-data; boundary=" + "x" * 300,
        "multipart/form-data; boundary=other",
    ],
)
def test_bad_boundaries(content_type):
    with pytest.raises(HTTPInputError):
        parse(content_type, BODY)


def test_nothing_is_added_by_a_bad_body():
    arguments, files = {}, {}
    with pytest.raises(HTTPInputError):
        parse_multipart_form_data(b"1234", BODY[:-4], arguments, files)
    assert arguments == files == {}


def test_compressed_bodies_are_refused():
    headers = HTTPHeaders({"Content-Encoding": "gzip"})
    for content_type in (URLENCODED, "multipart/form-data; boundary=1234"):
        with pytest.raises(HTTPInputError, match="Unsupported Content-Encoding") as caught:
            parse(content_type, b"a=1", headers)
        assert caught.value.status == 400


def test_field_limit():
    assert parse(URLENCODED, b"&".join([b"a=1"] * 1000))[0] == {"a": [b"1"] * 1000}
    with pytest.raises(HTTPInputError, match="Max number of fields exceeded"):
        parse(URLENCODED, b"&".join([b"a=1"] * 1001))
    none = ParseBodyConfig(urlencoded=ParseUrlEncodedConfig(max_arguments=0))
    assert parse(URLENCODED, b"", config=none) == ({}, {})
    with pytest.raises(HTTPInputError):
        parse(URLENCODED, b"a", config=none)


def test_multipart_config():
    def attempt(**options):
        parse_multipart_form_data(b"1234", BODY, {}, {}, config=ParseMultipartConfig(**options))

    attempt()
    attempt(max_parts=4)
    with pytest.raises(HTTPInputError, match="too many parts"):
        attempt(max_parts=3)
    with pytest.raises(HTTPInputError, match="header too large"):
        attempt(max_part_header_size=10)
    with pytest.raises(HTTPInputError, match="multipart/form-data parsing is disabled"):
        attempt(enabled=False)


def test_defaults_follow_the_profile_until_they_are_set(monkeypatch):
    part = b'--1234\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    body = part * 150 + b"--1234--"
    parse_multipart_form_data(b"1234", body, {}, {})
    monkeypatch.setattr(profile, "_active", profile.TORNADO)
    with pytest.raises(HTTPInputError):
        parse_multipart_form_data(b"1234", body, {}, {})
    set_parse_body_config(ParseBodyConfig(multipart=ParseMultipartConfig(max_parts=200)))
    parse_multipart_form_data(b"1234", body, {}, {})


def test_config_is_readable():
    assert repr(ParseMultipartConfig()) == (
        "ParseMultipartConfig(enabled=True, max_parts=100, max_part_header_size=10240)"
    )
    assert ParseBodyConfig() == ParseBodyConfig()
    assert ParseBodyConfig().urlencoded.max_arguments == 1000


@given(st.text(max_size=30), st.binary(max_size=60))
def test_anything_else_is_an_input_error(boundary, body):
    try:
        parse(f"multipart/form-data; boundary={boundary}", body)
    except HTTPInputError:
        pass
