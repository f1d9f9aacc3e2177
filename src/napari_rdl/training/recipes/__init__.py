"""Recipes: named configurations, as TOML."""
