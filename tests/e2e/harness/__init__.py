"""What the scenario tests stand on: the program as a process, scripted origins, and clients of every manner."""
