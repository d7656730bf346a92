"""Thin operators: parameters in, one engine call, result out."""
