"""Tells whoever looks after the room of words that need a look."""

from __future__ import annotations

import time

from chat.store import Message

WORDS = {"storm", "flood"}


def look_at(message: Message) -> None:
    if WORDS & set(message.text.lower().split()):
        send_mail(message)


def send_mail(message: Message) -> None:
    # Stands for a mail server that takes its time.
    time.sleep(0.6)
