"""The harness of the scenario tests: Tribune as a process, scripted origins, and clients."""
