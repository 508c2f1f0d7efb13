"""The parts of the walk that `connect.StorageSetup` puts together, and the state that it keeps
between them."""
