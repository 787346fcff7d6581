"""Tornado's `tornado.platform`: bridges to other event loops."""
