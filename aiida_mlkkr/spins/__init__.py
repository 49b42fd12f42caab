"""Classical spin models: dilute supercells of moments, their networks, Monte Carlo and mean field.

Energies in meV, lengths in Å, moments in µB, fields in T, temperatures in K; H as in :mod:`aiida_mlkkr.exchange`, with
unit vectors e_i along the moments:

    H = −½ Σ_(i≠j) e_i·𝒥_ij e_j − Σ_i e_i·K_i e_i − Σ_i m_i B·e_i .
"""

from aiida_mlkkr.solver.numba_cache import choose_cache

choose_cache()
