import copy
import pickle

import pytest

from eyewall.web.errors import Finish, HTTPError, MissingArgumentError, MissingSettingError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (HTTPError(), "HTTP 500: Internal Server Error"),
        (HTTPError(404), "HTTP 404: Not Found"),
        (HTTPError(682), "HTTP 682: Unknown"),
        (HTTPError(682, reason="Foo"), "HTTP 682: Foo"),
        (HTTPError(404, "no %s, %d%%", "page", 3), "HTTP 404: Not Found (no page, 3%)"),
        (HTTPError(404, "50% %s"), "HTTP 404: Not Found (50% %s)"),
        (MissingArgumentError("q%s"), "HTTP 400: Bad Request (Missing argument q%s)"),
    ],
)
def test_text(error, text):
    assert str(error) == text


def test_message_with_arguments_is_a_format():
    error = HTTPError(404, "no %s", "page", reason="Gone")
    assert (error.status_code, error.reason, error.args) == (404, "Gone", ("page",))
    assert error.log_message == "no %s"
    assert error.get_message() == "no page"


def test_message_without_arguments_is_escaped_for_logging():
    error = HTTPError(404, "50% off")
    assert error.log_message == "50%% off"
    assert error.log_message % error.args == "50% off" == error.get_message()
    assert HTTPError(404).log_message is None
    assert HTTPError(404).get_message() is None


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
@pytest.mark.parametrize(
    "error", [HTTPError(403, "a %s", "b", reason="Go away"), MissingArgumentError("q"), HTTPError(418)]
)
def test_copies_are_equal(duplicate, error):
    twin = duplicate(error)
    assert twin is not error
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)


def test_missing_argument_names_it():
    error = MissingArgumentError("foo")
    assert isinstance(error, HTTPError)
    assert (error.arg_name, error.status_code, error.log_message) == ("foo", 400, "Missing argument foo")


def test_finish_carries_what_to_finish_with():
    assert Finish("done").args == ("done",)


def test_missing_setting_says_what_needs_it():
    error = pickle.loads(pickle.dumps(MissingSettingError("cookie_secret", "secure cookies")))
    assert str(error) == (
        "You must define the 'cookie_secret' setting in your application to use secure cookies"
    )
