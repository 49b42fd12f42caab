"""KKRimp calculations that are restarted when something went wrong."""
