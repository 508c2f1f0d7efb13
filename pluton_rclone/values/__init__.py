"""Values shared by all rooms: sizes, paths, names as OneDrive stores them, words for users."""
