"""Data nodes: trained models and the datasets they learn from."""
