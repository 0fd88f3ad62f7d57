"""What a person looks at: depth in colour, galleries, scenes."""
