"""What the rooms share: how console programs stop and end, and what is wrong with settings, in words."""
