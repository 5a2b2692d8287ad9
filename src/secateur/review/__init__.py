"""The page on which a person looks at recordings and their events, and has the last word."""
