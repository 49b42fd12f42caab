"""Many calculations at once: what is to be run, what there is already, and the runs themselves."""
