"""Machine learning for Korringa-Kohn-Rostoker impurity calculations with AiiDA."""

__version__ = '0.1.0.dev0'
