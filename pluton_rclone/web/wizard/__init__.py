"""The seven steps of "Connecting OneDrive", as pages."""
