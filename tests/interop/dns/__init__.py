"""Direct delivery with real name servers: mail servers that are found by the DNS, on loopback."""
