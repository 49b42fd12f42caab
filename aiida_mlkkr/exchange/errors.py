"""Errors of the exchange room."""


class ExchangeError(ValueError):
    """Exchange data that contradicts itself, or that its target cannot hold."""
