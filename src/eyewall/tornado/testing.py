"""Tornado's `tornado.testing`."""

from eyewall.testing.asynccase import AsyncTestCase as AsyncTestCase
from eyewall.testing.asynccase import setup_with_context_manager as setup_with_context_manager
from eyewall.testing.deadline import get_async_test_timeout as get_async_test_timeout
from eyewall.testing.expectlog import ExpectLog as ExpectLog
from eyewall.testing.gentest import gen_test as gen_test
from eyewall.testing.httpcase import AsyncHTTPSTestCase as AsyncHTTPSTestCase
from eyewall.testing.httpcase import AsyncHTTPTestCase as AsyncHTTPTestCase
from eyewall.testing.ports import bind_unused_port as bind_unused_port
from eyewall.testing.program import main as main

if __name__ == "__main__":
    main()
