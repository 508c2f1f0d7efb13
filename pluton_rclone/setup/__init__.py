"""The parts of `connect.StorageSetup`, the connection walkthrough, and their state."""
