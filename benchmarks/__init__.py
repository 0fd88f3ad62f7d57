"""Numbers: what this project does on this machine, beside what others do and what was published."""
