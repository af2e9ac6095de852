"""Connections of any protocol: sockets that are open, what is written, what web servers answer."""
