"""What all rooms agree on: sizes, paths, names as OneDrive stores them, words for people."""
