"""What a try means: replies, what they are about, and what follows for a delivery.  Pure."""
