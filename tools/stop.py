"""The one exception of the targets: a message for the person at the keyboard."""


class Stop(Exception):
    """Work cannot go on. The message says what is missing and how to get it."""
