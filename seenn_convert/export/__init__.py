"""Write a converted network and read it back."""
