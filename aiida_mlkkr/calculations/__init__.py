"""Calculations and calculation functions."""
