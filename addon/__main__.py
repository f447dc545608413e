"""Installs the backend from a terminal: ``python synergyface-<version>.zip --help``.

Python runs this file when it is given the extension's zip, or the folder of the unpacked one.
"""

import sys

from installer.command_line import main

sys.exit(main())
