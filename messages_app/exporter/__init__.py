"""The exporter as a program: its command line, its process, and what its end means."""
