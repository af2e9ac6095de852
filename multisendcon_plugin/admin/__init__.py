"""What an admin uses besides twistd: the command line."""
