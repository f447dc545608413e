"""What both sides know beforehand: the protocol's version, names and sizes."""

PROTOCOL = 5
MEDIA_TYPE = "application/x-synergyface"
TOKEN_VARIABLE = "SYNERGYFACE_TOKEN"
MAX_PHOTO_BYTES = 64 * 2**20
N_PARAMETERS = 62
N_LANDMARKS = 68
N_EXPRESSIONS = 10
