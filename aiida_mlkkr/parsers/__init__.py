"""Parsers of calculations."""
