"""What planning starts from: demand, places where points may stand, and what the network itself has seen."""
