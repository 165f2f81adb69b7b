"""The one exception of the targets: a message for whoever called them."""


class Stop(Exception):
    """Work cannot go on; the message says what is missing, and the way out."""
