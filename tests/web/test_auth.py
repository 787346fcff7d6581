import pytest

from eyewall.web.auth import AuthMixin
from eyewall.web.errors import MissingSettingError
from tests.web.stubs import assemble


def test_user_is_asked_for_once():
    asked = []

    class Counting(AuthMixin):
        def get_current_user(self):
            asked.append(1)

    h = assemble(Counting)
    assert h.current_user is None
    assert h.current_user is None
    assert asked == [1]


def test_user_can_be_assigned():
    class Never(AuthMixin):
        def get_current_user(self):
            raise NotImplementedError

    h = assemble(Never)
    h.current_user = "Ben"
    assert h.current_user == "Ben"


def test_nothing_is_stored_before_it_is_used():
    h = assemble(AuthMixin)
    assert set(vars(h)) == {"request", "application"}


def test_login_url_is_a_setting():
    assert assemble(AuthMixin, settings={"login_url": "/in"}).get_login_url() == "/in"
    with pytest.raises(MissingSettingError, match=r"'login_url' setting.*@tornado.web.authenticated"):
        assemble(AuthMixin).get_login_url()


def test_settings_are_the_applications():
    settings = {"a": 1}
    assert assemble(AuthMixin, settings=settings).settings is settings
