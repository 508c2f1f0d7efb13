"""Plans over many storages: in one process, or on Prefect over many machines."""
