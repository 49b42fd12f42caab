"""The demonstration: real impurities through AiiDA on a machine that has nothing of ours yet."""
