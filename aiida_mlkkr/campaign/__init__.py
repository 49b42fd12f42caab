"""Many calculations at once: what is to be run, what there is already, the runs themselves; cases of a benchmark."""
