"""Faults, each in a file of its own as an application would have it, for the demo's page 'Break it'.

The doctor names lines of applications, not of Eyewall. So the demo copies these files into a folder of its own and
imports them from there, as the package `shop`: an application like any other, of which they are the modules.

A module's docstring says its fault in a sentence. The culprit's line ends in `# finding: <rule>`. `routes` are its
handlers, if it has some; `press` is what the button does, which is ended when the finding is there, or after a while.
`mend`, where there is one, undoes what cancelling its tasks does not.
"""
