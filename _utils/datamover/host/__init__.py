"""A transfer on its host: run directory, register, undo log, leases, commands."""
