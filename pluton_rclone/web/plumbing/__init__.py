"""The basis of every page: the guard, sessions, jobs, templates and formatting."""
