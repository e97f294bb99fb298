"""Benchmarks: ``python -m bench`` runs every workload in srcdiff and in every peer that is installed."""
