import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.etags import matches_any, matches_strongly, parse_etags, strong_match, weak_match

from .linear import assert_linear


@pytest.mark.parametrize(
    ("header", "etag", "weakly", "strongly"),
    [
        ('"x"', '"x"', True, True),
        (b'"x"', b'"x"', True, True),
        ('"a", "x"', '"x"', True, True),
        ('"a","b"', '"x"', False, False),
        ('W/"x"', '"x"', True, False),
        ('"x"', 'W/"x"', True, False),
        ('W/"x"', 'W/"x"', True, False),
        ("*", '"x"', True, True),
        (" * ", '"x"', True, True),
        ("*", "", False, False),
        ("", '"x"', False, False),
        ("x", '"x"', False, False),
        ('"a,x"', '"x"', False, False),
        ('"a,x"', '"a,x"', True, True),
        ('w/"x"', '"y"', False, False),
        ('"x', '"x"', False, False),
        ('"*"', '"x"', False, False),
    ],
)
def test_conditions(header, etag, weakly, strongly):
    assert matches_any(header, etag) is weakly
    assert matches_strongly(header, etag) is strongly


def test_comparison_table_of_the_rfc():
    table = [('W/"1"', 'W/"1"', False, True), ('W/"1"', 'W/"2"', False, False)]
    table += [('W/"1"', '"1"', False, True), ('"1"', '"1"', True, True)]
    for one, other, strongly, weakly in table:
        assert strong_match(one, other) is strongly
        assert weak_match(one, other) is weakly


TAGS = st.text(alphabet=st.sampled_from("ab,/W*\xe9"), max_size=5)


@given(st.lists(st.tuples(st.booleans(), TAGS), max_size=8))
def test_lists_round_trip(tags):
    header = ", ".join(f'{"W/" if weak else ""}"{tag}"' for weak, tag in tags)
    assert parse_etags(header) == [(weak, f'"{tag}"') for weak, tag in tags]


def test_linear():
    assert_linear(lambda n: matches_any('"' * n, '"x"'))
    assert_linear(lambda n: matches_any('"a",' * n, '"x"'))
