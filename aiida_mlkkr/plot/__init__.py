"""Figures from plain arrays; nothing here knows AiiDA."""
