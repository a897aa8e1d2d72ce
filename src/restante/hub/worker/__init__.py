"""The worker: does what events and timers ask for, each at least once and with effect at most once."""
