"""The engine whose replicas are actors of a Ray cluster."""
