"""Errors of datasets and models; their messages are for the user."""


class DatasetError(ValueError):
    """Impurities or hosts cannot make up a dataset, or the dataset is damaged."""


class ModelError(ValueError):
    """A model is damaged, foreign or newer than the package, or cannot answer what it is asked."""


class OutOfReachError(ModelError):
    """An impurity is too far from all that a model has learnt from."""
