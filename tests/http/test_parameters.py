import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.errors import HTTPInputError
from eyewall.http.parameters import format_parameters, iter_parameters, parse_parameters, split_list

from .linear import assert_linear


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", ("", {})),
        ("a", ("a", {})),
        ("Text/HTML; Q=1", ("Text/HTML", {"q": "1"})),
        (" a ; b = c ;d", ("a", {"b": "c"})),
        ('a; b="c;d=e"; f=g', ("a", {"b": "c;d=e", "f": "g"})),
        (r'a; b="c\"d"; e="f\\"', ("a", {"b": 'c"d', "e": "f\\"})),
        (r'a; b="C:\dir\x.txt"', ("a", {"b": r"C:\dir\x.txt"})),
        ("a; b=c; b=d", ("a", {"b": "d"})),
        ("a;;b=c; ;=x;d=e", ("a", {"b": "c", "d": "e"})),
        ('a; b="c', ("a", {"b": '"c'})),
        ('a; b="c; d=e', ("a", {"b": '"c', "d": "e"})),
        ("a; b*=UTF-8''%e2%82%ac; b=x", ("a", {"b": "€"})),
        ("a; b*=iso-8859-1'en'%a3", ("a", {"b": "£"})),
        ("a; b*=UTF-8''%e2", ("a", {"b": "\ufffd"})),
        ("a; b*=x-unknown''%41", ("a", {"b": "A"})),
        ("a; b*=x", ("a", {"b": "x"})),
        ("a; b*1=y; b*0=x; b*3=lost", ("a", {"b": "xy"})),
        ("a; b*0*=UTF-8''%e2%82; b*1*=%ac; b*2=%41", ("a", {"b": "€%41"})),
        ("a; b*1=x", ("a", {})),
        ("a; b*00=x; b*+1=y; b*1001=z", ("a", {"b*00": "x", "b*+1": "y"})),
    ],
)
def test_parse(line, expected):
    assert parse_parameters(line) == expected


def test_strict():
    assert list(iter_parameters('a="b" ;c=d', strict=True)) == [("a", "b"), ("c", "d")]
    for line in ('a="b', 'a="b"c', 'a="b\\"', 'x=y; a="b" "c"'):
        with pytest.raises(HTTPInputError):
            list(iter_parameters(line, strict=True))


@given(st.text(alphabet=st.sampled_from("ab=;\"\\* '0%\t\r\n"), max_size=60))
def test_any_text_is_read(line):
    key, parameters = parse_parameters(line)
    assert isinstance(key, str)
    assert all(isinstance(value, str) for value in parameters.values())


@given(st.dictionaries(st.from_regex("[a-z]{1,5}", fullmatch=True), st.text(alphabet='ab;"\\=, ')))
def test_reads_what_is_written(parameters):
    line = format_parameters("key", parameters)
    assert parse_parameters(line) == ("key", parameters)


def test_split_list():
    assert split_list("") == [""]
    assert split_list('a, b="c,\\",d";e=",",f') == ["a", ' b="c,\\",d";e=","', "f"]
    assert split_list('a,b="c,d') == ["a", 'b="c,d']
    for piece in (",", '",', '"', '\\",', '"\\",'):
        assert_linear(lambda n, piece=piece: split_list(piece * n))


def test_format():
    parameters = {"b": None, "a": 15, "c": "x y"}
    assert format_parameters("k", parameters) == 'k; a=15; b; c="x y"'


@pytest.mark.parametrize(
    "hostile",
    [
        lambda n: 'a; x="' + ";" * n + '"; b=c',
        lambda n: "a" + ";b" * n + ";c=d",
        lambda n: "a; x=" + '"' * n,
        lambda n: 'a; x="' + '\\"' * n,
        lambda n: "a" + ';b="' * n,
        lambda n: "a" + "".join(f"; b*{i}=x" for i in range(n)),
        lambda n: "a; b=" + " " * n + "x",
    ],
)
def test_linear(hostile):
    assert_linear(lambda n: parse_parameters(hostile(n)))
