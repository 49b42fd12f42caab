"""WorkChains, and their protocols."""
