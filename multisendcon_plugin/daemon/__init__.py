"""What a process needs of the system: its clock, log, signals, descriptors, names."""
