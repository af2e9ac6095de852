"""HTTP: the API over `operations`, on the control socket; metrics and health."""
