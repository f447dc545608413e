"""What reads files that come from anywhere: in child processes with limits of memory and time."""
