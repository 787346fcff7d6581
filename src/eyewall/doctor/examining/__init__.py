"""Looking at one test, or any other piece of a program that begins and ends: what it leaves behind."""
