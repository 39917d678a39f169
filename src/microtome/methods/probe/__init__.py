"""What can be read out? Directions that say a concept, and how many units it takes."""
