"""The page to try it on."""
