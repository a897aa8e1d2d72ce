"""The fleet: which banks and counters belong to the network, how they prove it, and what passes on their lines."""
