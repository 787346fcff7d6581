"""`python -m eyewall.tornado`: runs a Tornado program on Eyewall."""

from eyewall.tornado._program import main

if __name__ == "__main__":
    main()
