"""The living network: real programs on real sockets, with made-up people who announce, deposit, collect and forget."""
