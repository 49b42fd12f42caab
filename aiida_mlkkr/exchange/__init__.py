"""Exchange tensors of pairs of moments: parts, conventions, tables and what other programs write and read.

Inside the room H = −½ Σ_(i≠j) [J_ij e_i·e_j + D_ij·(e_i×e_j) + e_i·S_ij e_j + B_ij (e_i·e_j)²] with unit vectors along
the moments, energies in meV and lengths in Å; J > 0 is ferromagnetic.
"""
