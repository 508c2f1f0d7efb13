"""The model of one OneDrive remote: its options and rules, and what is wrong with one. No input, no
output."""
