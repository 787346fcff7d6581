"""Digest authentication as the standards have it, and answers that a server can check."""

from __future__ import annotations

import hashlib
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.client.challenges import parse_challenges
from eyewall.client.digest import Digest, is_stale, new_cnonce
from eyewall.client.login import Login, Nonces, Proof

#: RFC 7616 section 3.9.1.
EXAMPLE = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=10)


def parameters(answer: str | None) -> dict[str, str]:
    assert answer is not None
    (challenge,) = parse_challenges([answer])
    assert challenge.scheme == "digest"
    return challenge.parameters


def digest_of(challenge: str, user: str = "u", password: str = "p", cnonce: str = "c") -> Digest:
    digest = Digest(user.encode(), password.encode(), lambda: cnonce)
    assert digest.challenged([challenge])
    return digest


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_the_standard(algorithm: str, response: str) -> None:
    number = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    digest = digest_of(EXAMPLE.format(algorithm), "Mufasa", "Circle of Life", number)
    assert parameters(digest.answer("GET", "/dir/index.html", b"")) == {
        "username": "Mufasa",
        "realm": "http-auth@example.org",
        "uri": "/dir/index.html",
        "algorithm": algorithm,
        "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "nc": "00000001",
        "cnonce": number,
        "qop": "auth",
        "response": response,
        "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    }


def test_the_example_with_a_hashed_name() -> None:
    """RFC 7616 section 3.9.2, as erratum 4897 corrects it: the document truncated SHA-512."""
    digest = digest_of(
        'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, charset=UTF-8, userhash=true, '
        'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS"',
        "J\u00e4s\u00f8n Doe",
        "Secret, or not?",
        "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
    )
    found = parameters(digest.answer("GET", "/doe.json", b""))
    assert found["userhash"] == "true"
    assert found["username"] == "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    assert found["response"] == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"


@pytest.mark.parametrize(
    ("qop", "response"),
    [(', qop="auth,auth-int"', "6629fae49393a05397450978507c4ef1"), ("", "670fd8c2df070c60b045671b8b24ff02")],
)
def test_the_examples_of_older_standards(qop: str, response: str) -> None:
    """RFC 2617 section 3.5; the same without `qop`, as RFC 2069 has it."""
    challenge = (
        f'Digest realm="testrealm@host.com"{qop}, nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    digest = digest_of(challenge, "Mufasa", "Circle Of Life", "0a4f113b")
    found = parameters(digest.answer("GET", "/dir/index.html", b""))
    assert found["response"] == response
    assert "algorithm" not in found
    assert ("nc" in found) == ("cnonce" in found) == ("qop" in found) == bool(qop)


def test_requests_are_counted() -> None:
    digest = digest_of(EXAMPLE.format("MD5"))
    found = [parameters(digest.answer("GET", "/", b"")) for _ in range(17)]
    assert [each["nc"] for each in found] == [f"{number:08x}" for number in range(1, 18)]
    assert len({each["response"] for each in found}) == 17


def test_the_first_challenge_that_it_knows_counts() -> None:
    digest = Digest(b"u", b"p")
    assert digest.nonce is None
    assert digest.answer("GET", "/", b"") is None
    for useless in (
        "Basic realm=a",
        "Digest realm=a",
        "Digest realm=a, nonce=b, algorithm=SHA3-256",
        "Digest realm=a, nonce=b, qop=auth-conf",
        'Digest realm=a, nonce=b, qop=""',
    ):
        assert not digest.challenged([useless])
    offered = [
        "Digest realm=a, nonce=n1, algorithm=no",
        "Digest nonce=n2, algorithm=sha-256, Digest nonce=n3",
    ]
    assert digest.challenged(offered)
    assert digest.nonce == "n2"
    assert parameters(digest.answer("GET", "/", b""))["algorithm"] == "sha-256"


def test_content_is_hashed_where_nothing_else_will_do() -> None:
    digest = digest_of('Digest realm=r, nonce=n, qop="auth-int"')
    found = parameters(digest.answer("POST", "/x", b"content"))
    assert found["qop"] == "auth-int"
    assert found["response"] == expected(found, b"u", b"p", "POST", b"content")
    assert digest.answer("POST", "/x", None) is None
    assert not Digest(b"u", b"p").challenged(["Digest nonce=n, qop=auth-int"], content=False)


def test_a_session_begins_once() -> None:
    numbers = count()
    digest = Digest(b"u", b"p", lambda: f"c{next(numbers)}")
    assert digest.challenged(["Digest realm=r, nonce=n0, qop=auth, algorithm=MD5-sess"])
    first = parameters(digest.answer("GET", "/", b""))
    digest.informed('nextnonce="n1"')
    second = parameters(digest.answer("GET", "/", b""))
    assert (second["nonce"], second["nc"], second["cnonce"]) == ("n1", "00000001", first["cnonce"])
    secret = _hash("md5", b":".join([_hash("md5", b"u:r:p").encode(), b"n0", first["cnonce"].encode()]))
    asked = _hash("md5", b"GET:/")
    for found in (first, second):
        inner = f"{secret}:{found['nonce']}:00000001:{found['cnonce']}:auth:{asked}"
        assert found["response"] == _hash("md5", inner.encode())


def test_another_nonce_that_a_server_announces() -> None:
    digest = digest_of(EXAMPLE.format("MD5"))
    digest.answer("GET", "/", b"")
    digest.informed('rspauth="x", cnonce="c"')
    assert parameters(digest.answer("GET", "/", b""))["nc"] == "00000002"
    digest.informed('nextnonce="other"')
    found = parameters(digest.answer("GET", "/", b""))
    assert (found["nonce"], found["nc"]) == ("other", "00000001")
    assert found["response"] == expected(found, b"u", b"p", "GET", b"")
    # Nobody has asked for anything yet.
    early = Digest(b"u", b"p")
    early.informed('nextnonce="other"')
    assert early.nonce is None


def test_names_beyond_ascii() -> None:
    name = "Us\u00e9r"
    old = digest_of("Digest realm=r, nonce=n", name).answer("GET", "/", b"")
    assert old is not None
    assert old.encode("latin-1").startswith(f'Digest username="{name}"'.encode())
    new = digest_of("Digest realm=r, nonce=n, charset=UTF-8", name).answer("GET", "/", b"")
    assert new is not None
    assert new.startswith("Digest username*=UTF-8''Us%C3%A9r, ")


def test_stale_nonces() -> None:
    assert is_stale(["Basic stale=true", 'Digest nonce=n, stale="TRUE"'])
    assert not is_stale(["Basic stale=true, Digest nonce=n, stale=false"])


def test_own_numbers_differ() -> None:
    assert len({new_cnonce() for _ in range(100)}) == 100
    assert min(len(new_cnonce()) for _ in range(10)) >= 16


def _hash(name: str, octets: bytes) -> str:
    return hashlib.new(name, octets).hexdigest()


def expected(found: dict[str, str], user: bytes, password: bytes, method: str, content: bytes) -> str:
    """What a server computes from the fields of an answer, by the formulas of RFC 7616 section 3.4.1."""
    algorithm = found.get("algorithm", "MD5").upper()
    name = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}[algorithm.removesuffix("-SESS")]
    field = {key: value.encode("latin-1") for key, value in found.items()}
    first = b"%b:%b:%b" % (user, field["realm"], password)
    if algorithm.endswith("-SESS"):
        first = b"%b:%b:%b" % (_hash(name, first).encode(), field["nonce"], field["cnonce"])
    second = method.encode() + b":" + field["uri"]
    if found.get("qop") == "auth-int":
        second += b":" + _hash(name, content).encode()
    middle = [field["nc"], field["cnonce"], field["qop"]] if "qop" in field else []
    secret = [_hash(name, first).encode(), field["nonce"], *middle, _hash(name, second).encode()]
    return _hash(name, b":".join(secret))


@given(
    st.sampled_from(["", "MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "sha-512-256-SESS"]),
    st.sampled_from(["", "auth", "auth-int", "auth, auth-int"]),
    TEXTS,
    TEXTS,
    st.binary(max_size=8),
    st.binary(max_size=8),
    st.binary(max_size=8),
)
def test_a_server_can_check_whatever_is_asked(
    algorithm: str, qop: str, realm: str, nonce: str, user: bytes, password: bytes, content: bytes
) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    challenge = f"Digest realm={quoted(realm)}, nonce={quoted(nonce)}"
    challenge += f", algorithm={algorithm}" if algorithm else ""
    challenge += f', qop="{qop}"' if qop else ""
    digest = Digest(user, password)
    assert digest.challenged([challenge])
    for number in range(1, 3):
        found = parameters(digest.answer("PUT", "/a?b", content))
        assert found["username"].encode("latin-1") == user
        assert (found["realm"], found["nonce"]) == (realm, nonce)
        assert found["response"] == expected(found, user, password, "PUT", content)
        if qop:
            assert found["nc"] == f"{number:08x}"


# -- proofs ---------------------------------------------------------------------------------------------


def test_who_asks() -> None:
    assert Login.of("A\u0308", None, None) == ("\u00c4".encode(), b"", False)
    assert Login.of(b"\xff", "p", "digest") == (b"\xff", b"p", True)
    assert Login.of_url(b"u:p:q", "basic") == (b"u", b"p:q", False)
    assert Login.of("u", "p", "basic").basic() == "Basic dTpw"
    assert "secret" not in repr(Login.of("u", "secret", "basic"))
    with pytest.raises(ValueError, match=r"unsupported proxy_auth_mode 'ntlm'"):
        Login.of("u", "p", "ntlm", "proxy_auth_mode")


def test_basic_is_shown_at_once_and_is_no_answer() -> None:
    proof = Proof(Login(b"u", b"p"), Nonces(), "here")
    assert proof.field("GET", "/", b"") == "Basic dTpw"
    assert not proof.refused([EXAMPLE.format("MD5")])
    proof.accepted(None)


def test_what_was_good_is_remembered_for_the_place() -> None:
    nonces, login = Nonces(), Login(b"u", b"p", True)
    proof = Proof(login, nonces, "here")
    assert proof.field("GET", "/", b"") is None
    assert proof.refused(["Digest realm=r, nonce=n, qop=auth"])
    assert parameters(proof.field("GET", "/", b""))["nc"] == "00000001"
    assert Proof(login, nonces, "here").field("GET", "/", b"") is None
    proof.accepted('nextnonce="m"')
    found = parameters(Proof(login, nonces, "here").field("GET", "/", b""))
    assert (found["nonce"], found["nc"]) == ("m", "00000001")
    for other in (Proof(login, nonces, "there"), Proof(Login(b"u", b"q", True), nonces, "here")):
        assert other.field("GET", "/", b"") is None
    for number in range(100):
        late = Proof(login, nonces, number)
        assert late.refused(["Digest realm=r, nonce=n"])
        late.accepted(None)
    assert Proof(login, nonces, "here").field("GET", "/", b"") is None
    assert Proof(login, nonces, 99).field("GET", "/", b"") is not None


def test_a_wrong_password_is_not_tried_again() -> None:
    fresh, stale = "Digest realm=r, nonce=n, qop=auth", "Digest realm=r, nonce=m, qop=auth, stale=true"
    login = Login(b"u", b"p", True)
    for second, again in ((fresh, False), (stale, True)):
        proof = Proof(login, Nonces(), "here")
        assert proof.refused([fresh])
        assert proof.refused([second]) is again
    assert not proof.refused([stale])


def test_what_is_remembered_may_be_refused() -> None:
    nonces, login = Nonces(), Login(b"u", b"p", True)
    first = Proof(login, nonces, "here")
    assert first.refused(["Digest realm=r, nonce=n, qop=auth"])
    first.accepted(None)
    # Some servers do not say that it is stale.
    second = Proof(login, nonces, "here")
    assert parameters(second.field("GET", "/", b""))["nonce"] == "n"
    assert second.refused(["Digest realm=r, nonce=m, qop=auth"])
    # What others count meanwhile does not disturb it.
    Proof(login, nonces, "here").field("GET", "/", b"")
    assert parameters(second.field("GET", "/", b""))["nc"] == "00000001"
