"""The model of one OneDrive remote: options, rules, faults. No input or output."""
