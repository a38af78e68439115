"""Lines: drawings in ink and pencil, thin lines of photographs, and line drawings drawn again."""
