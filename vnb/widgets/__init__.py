"""What a notebook shows of a machine: plots here, each loaded when it is first asked for."""
