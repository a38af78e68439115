"""Finding the objects of a picture, and what makes them recognisable."""
