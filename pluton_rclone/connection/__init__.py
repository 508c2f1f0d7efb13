"""The connection test: report, steps and probe file; and the health of all storages."""
