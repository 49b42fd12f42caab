"""Errors of the room of spin models; their messages are for the user."""


class SpinModelError(ValueError):
    """A spin model that contradicts itself, or that cannot be made or simulated as asked."""
