"""What every page stands on: the guard, sessions, jobs, drawing and words."""
