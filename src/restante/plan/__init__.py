"""What should be done: pure calculations over snapshots, which never write."""
