"""What is true: the rules of custody as pure values, with no clock, no chance and no input or output."""
