"""The connection test: its report, its steps, its probe file, and the health of all storages."""
