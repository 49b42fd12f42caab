"""The embedded impurity solver: KKR Green function in the atomic-sphere approximation."""

from .numba_cache import choose_cache

choose_cache()
