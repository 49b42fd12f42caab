"""The embedded impurity solver: KKR Green function in the atomic-sphere approximation."""
