"""How what was found is told: to people, to programs, to code hosts."""
