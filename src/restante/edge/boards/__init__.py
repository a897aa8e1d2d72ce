"""Emulated lock boards: steel and solenoids as pure state machines, in process and over a pseudo-terminal."""
