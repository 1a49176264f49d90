"""A kernel whose cells run in a guest's shell, for front ends that know nothing of vnb."""
