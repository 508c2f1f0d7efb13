"""The pages of saved storages: list, health, files, transfers."""
