"""Green functions of hosts: what JuKKR's KKRhost writes out for KKRimp, for one atom per cell in atomic spheres."""
