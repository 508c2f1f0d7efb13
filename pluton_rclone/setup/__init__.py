"""The parts of the walk that `connect.StorageSetup` joins, and their state."""
