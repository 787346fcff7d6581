import hashlib
import hmac
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web.signing import (
    create_signed_value,
    decode_signed_value,
    get_signature_key_version,
    signature_v1,
    signature_v2,
)

SECRET = "It's a secret to everybody"
SECRETS = {0: "asdfbasdf", 1: "12312312", 2: b"2342342"}
NOW = 1300000000
DAY = 86400
SIGNED_1 = b"dmFsdWU=|1300000000|31c934969f53e48164c50768b40cbd7e2daaaa4f"
SIGNED_2 = (
    b"2|1:0|10:1300000000|3:key|8:dmFsdWU=|3d4e60b996ff9c5d5788e333a0cba6f238a22c6c0f94788870e1a9ecd482e152"
)


def create(value="value", secret=SECRET, name="key", now=NOW, **options):
    return create_signed_value(secret, name, value, clock=lambda: now, **options)


def decode(signed, secret=SECRET, name="key", now=NOW, **options):
    return decode_signed_value(secret, name, signed, clock=lambda: now, **options)


def test_known_values():
    assert create(version=1) == SIGNED_1
    assert create(version=2) == create() == SIGNED_2
    assert decode(SIGNED_1, min_version=1) == b"value"
    assert decode(SIGNED_2) == decode(SIGNED_2.decode()) == decode(SIGNED_2, min_version=1) == b"value"


def test_version_1_is_not_read_by_default():
    assert decode(SIGNED_1) is None


@pytest.mark.parametrize("version", [0, 3, -1])
def test_unknown_versions(version):
    with pytest.raises(ValueError, match=f"Unsupported version {version}"):
        create(version=version)


def test_unknown_min_version():
    with pytest.raises(ValueError, match="Unsupported min_version 3"):
        decode(SIGNED_2, min_version=3)


@pytest.mark.parametrize("missing", [None, "", b""])
def test_nothing_to_decode(missing):
    assert decode(missing) is None


@pytest.mark.parametrize("version", [1, 2])
def test_a_value_is_good_for_its_name_only(version):
    assert decode(create(version=version, name="key1"), name="key2", min_version=1) is None


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("days", "age", "good"),
    [
        (31, 31 * DAY, True),
        (31, 31 * DAY + 1, False),
        (0, 0, True),
        (0, 1, False),
        (-1, 0, False),
        (0.5, DAY / 2, True),
    ],
)
def test_age(version, days, age, good):
    value = decode(create(version=version), now=NOW + age, max_age_days=days, min_version=1)
    assert (value == b"value") is good


@pytest.mark.parametrize(
    "prefix",
    [
        "2|1:1|10:1300000000|3:key|8:dmFsdWU=|",
        "2|1:0|10:130000000|3:key|8:dmFsdWU=|",
        "2|1:0|10:1300000000|3:keey|8:dmFsdWU=|",
        "2|1:0|10:1300000001|3:key|8:dmFsdWU=|",
        "02|1:0|10:1300000000|3:key|8:dmFsdWU=|",
        " 2|1:0|10:1300000000|3:key|8:dmFsdWU=|",
        "3|1:0|10:1300000000|3:key|8:dmFsdWU=|",
        "2|1:0|10:1300000000|3:key|8:dmFsdWU=|1:x|",
        "2|1:0|10:1300000000|3:key|8:dmFsdWU=",
    ],
)
def test_a_changed_payload_is_refused(prefix):
    assert decode(prefix.encode() + SIGNED_2[-64:]) is None


@pytest.mark.parametrize(
    "signature", ["", "0" * 32, "0" * 64, SIGNED_2[-64:].decode()[:-1], SIGNED_2[-64:].decode() + "8"]
)
def test_a_changed_signature_is_refused(signature):
    assert decode(SIGNED_2[:-64] + signature.encode()) is None


@given(st.integers(0, len(SIGNED_2) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(position, difference):
    changed = bytearray(SIGNED_2)
    changed[position] ^= difference
    assert decode(bytes(changed)) is None


@given(st.binary(max_size=80), st.sampled_from([1, 2]))
def test_anything_else_is_refused(junk, min_version):
    logging.disable(logging.CRITICAL)
    try:
        assert decode(junk, min_version=min_version) is None
        assert decode(b"2|" + junk, min_version=min_version) is None
        get_signature_key_version(junk)
        get_signature_key_version(b"2|" + junk)
    finally:
        logging.disable(logging.NOTSET)


@given(st.binary(), st.text(max_size=20), st.sampled_from([1, 2]), st.integers(0, 2**33))
def test_round_trip(value, name, version, now):
    signed = create(value, name=name, version=version, now=now)
    assert decode(signed, name=name, now=now, min_version=version) == value


def sign(prefix):
    return prefix + hmac.new(SECRET.encode(), prefix, hashlib.sha256).hexdigest().encode()


@pytest.mark.parametrize(
    "prefix",
    [
        b"2|01:0|10:1300000000|3:key|8:dmFsdWU=|",
        b"2|+1:0|10:1300000000|3:key|8:dmFsdWU=|",
        b"2|2:00|10:1300000000|3:key|8:dmFsdWU=|",
        b"2|1:x|10:1300000000|3:key|8:dmFsdWU=|",
        b"2|1:0|1:a|3:key|8:dmFsdWU=|",
        b"2|1:0|0:|3:key|8:dmFsdWU=|",
        b"2|1:0|11:+1300000000|3:key|8:dmFsdWU=|",
        b"2|1:0|11:1_300000000|3:key|8:dmFsdWU=|",
        b"2|1:0|10:1300000000|3:key|8:dmFsdW!=|",
        b"2|1:0|10:1300000000|3:key|7:dmFsdWU|",
        b"2|1:0|10:1300000000|3:key|0:||",
        b"2|1:0|10:1300000000|3:key|-1:|",
        b"2|1:0|10:1300000000|3:key|99999999999999999999:dmFsdWU=|",
    ],
)
def test_only_canonical_fields_are_read(prefix):
    assert decode(sign(prefix)) is None


def test_the_helper_of_these_tests_signs():
    assert decode(sign(b"2|1:0|10:1300000000|3:key|8:dmFsdWU=|")) == b"value"


def test_digits_moved_into_a_version_1_timestamp(caplog):
    signed = create(b"\xd7m\xf8\xe7\xae\xfc", name="foo", version=1)
    payload, timestamp, signature = signed.split(b"|")
    assert payload == b"12345678"
    assert signature_v1(SECRET, "foo", "1234", b"5678" + timestamp) == signature
    moved = b"1234|5678" + timestamp + b"|" + signature
    assert decode(moved, name="foo", min_version=1) is None
    assert "Cookie timestamp in future" in caplog.text


@pytest.mark.parametrize(
    ("value", "age", "message"),
    [
        (b"a|b|c", 0, "Invalid cookie signature b'a|b|c'"),
        (SIGNED_1, 32 * DAY, "Expired cookie"),
        (
            b"|".join((b"dg==", b"01300000000", signature_v1(SECRET, "key", b"dg==01300000000"))),
            0,
            "Tampered cookie",
        ),
        (b"|".join((b"dg==", b"soon", signature_v1(SECRET, "key", b"dg==soon"))), 0, "Tampered cookie"),
        (b"|".join((b"dg==", b"-5", signature_v1(SECRET, "key", b"dg==-5"))), 0, "Tampered cookie"),
    ],
)
def test_refused_version_1_values_are_logged(caplog, value, age, message):
    assert decode(value, now=NOW + age, min_version=1) is None
    assert [record.name for record in caplog.records] == ["tornado.general"]
    assert message in caplog.text


def test_log_lines_are_bounded(caplog):
    assert decode(b"x" * 60000 + b"|1|2", min_version=1) is None
    assert len(caplog.records[0].getMessage()) < 200


def test_keys_by_version():
    signed = create(secret=SECRETS, key_version=2)
    assert get_signature_key_version(signed) == 2
    assert decode(signed, secret=SECRETS) == b"value"
    assert decode(signed, secret={0: SECRETS[0]}) is None
    assert decode(signed, secret={2: "another"}) is None
    assert decode(signed, secret=SECRETS[2]) == b"value"


def test_keys_by_version_need_version_2():
    with pytest.raises(ValueError, match="Key version must be set"):
        create(secret=SECRETS)
    with pytest.raises(ValueError, match="version 1 signatures cannot name their key"):
        create(secret=SECRETS, version=1, key_version=1)
    with pytest.raises(KeyError):
        create(secret=SECRETS, key_version=9)
    assert decode(SIGNED_1, secret=SECRETS, min_version=1) is None


@pytest.mark.parametrize(
    ("value", "key_version"),
    [
        (SIGNED_2, 0),
        (create_signed_value("s", "n", "v", key_version=7, clock=lambda: 0), 7),
        (SIGNED_1, None),
        ("", None),
        ("2|", None),
        ("2|1:7|", None),
        ("2|1:7|3:abc|1:n|0:|", None),
        ("9999|x", None),
    ],
)
def test_key_version(value, key_version):
    assert get_signature_key_version(value) == key_version


@pytest.mark.parametrize("version", [1, 2])
@given(
    value=st.binary(max_size=40),
    name=st.from_regex(r"[!#-+\-.0-9A-Z^-z|~:]{0,10}", fullmatch=True),
    key=st.binary(min_size=1),
)
def test_the_same_as_tornado(version, value, name, key):
    tornado = pytest.importorskip("tornado.web")
    ours = create_signed_value(key, name, value, version=version, clock=lambda: NOW)
    theirs = tornado.create_signed_value(key, name, value, version=version, clock=lambda: NOW)
    assert ours == theirs
    assert tornado.decode_signed_value(key, name, ours, clock=lambda: NOW, min_version=1) == value
    assert decode(theirs, secret=key, name=name, min_version=1) == value


def test_the_same_as_tornado_with_several_keys():
    tornado = pytest.importorskip("tornado.web")
    ours = create(secret=SECRETS, key_version=1)
    assert ours == tornado.create_signed_value(SECRETS, "key", "value", clock=lambda: NOW, key_version=1)
    assert tornado.decode_signed_value(SECRETS, "key", ours, clock=lambda: NOW) == b"value"


def test_signatures_are_hexadecimal_hmacs():
    assert signature_v2("k", b"data") == hmac.new(b"k", b"data", "sha256").hexdigest().encode()
    assert signature_v1("k", "da", b"ta") == hmac.new(b"k", b"data", "sha1").hexdigest().encode()
