"""Where the course lives: its repository, the links that lead to it, and notebooks that are opened on their own."""
