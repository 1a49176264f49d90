"""Words that begin with % pass through here, from a notebook's cells and the guest shell's."""
