"""Tornado's `tornado.routing`."""

from eyewall.web.routing import AnyMatches as AnyMatches, DefaultHostMatches as DefaultHostMatches
from eyewall.web.routing import HostMatches as HostMatches, Matcher as Matcher, PathMatches as PathMatches
from eyewall.web.routing import ReversibleRouter as ReversibleRouter
from eyewall.web.routing import ReversibleRuleRouter as ReversibleRuleRouter, Router as Router, Rule as Rule
from eyewall.web.routing import RuleRouter as RuleRouter, URLSpec as URLSpec
