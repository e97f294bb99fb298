"""From a Python function to the normal form: find the source, fence it, desugar it, translate it."""

from srcdiff.frontend.desugar import desugar
from srcdiff.frontend.environment import environment, fetch
from srcdiff.frontend.source import Source, source_of, where
from srcdiff.frontend.specialise import Specialisation, specialise

__all__ = ["Source", "Specialisation", "desugar", "environment", "fetch", "source_of", "specialise", "where"]
