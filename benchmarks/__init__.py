"""What the platform can do on this machine, measured beside what PostgreSQL can do without it."""
