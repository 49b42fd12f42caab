"""Surrogates of exchange: models of J of pairs of impurities, how they are split, judged and calibrated."""
