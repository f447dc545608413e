"""What crosses the wire between the Blender add-on and the backend.

`container` says how a body is laid out, the other modules what may be in it.
"""

from .container import (
    DTYPES,
    MAGIC,
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    ContractError,
    decode,
    encode,
)
from .faces import (
    FacePose,
    FaceResult,
    FacesResult,
    StaticModel,
    decode_faces,
    decode_model,
    encode_faces,
    encode_model,
)
from .names import numbered, result_names, same_name, usable_name
from .performance import NO_AMOUNTS
from .protocol import (
    MAX_PHOTO_BYTES,
    MEDIA_TYPE,
    N_EXPRESSIONS,
    N_LANDMARKS,
    N_PARAMETERS,
    PROTOCOL,
    TOKEN_VARIABLE,
)
from .stream import FrameResult, decode_frame, encode_frame
from .suffixes import FILM_SUFFIXES, PHOTO_SUFFIXES, kind_of
from .texture import (
    DEFAULT_TEXTURE_MODE,
    TextureMode,
    TextureOrder,
    decode_texture,
    decode_texture_order,
    encode_texture,
    encode_texture_order,
)
from .video import VideoResult, VideoTrack, decode_video, encode_video
from .whole_head import NO_KEYS, NamedKeys, PartShape, StaticPart, WholeHead

__all__ = [
    "DEFAULT_TEXTURE_MODE",
    "DTYPES",
    "FILM_SUFFIXES",
    "MAGIC",
    "MAX_HEADER_BYTES",
    "MAX_PAYLOAD_BYTES",
    "MAX_PHOTO_BYTES",
    "MEDIA_TYPE",
    "NO_AMOUNTS",
    "NO_KEYS",
    "N_EXPRESSIONS",
    "N_LANDMARKS",
    "N_PARAMETERS",
    "PHOTO_SUFFIXES",
    "PROTOCOL",
    "TOKEN_VARIABLE",
    "ContractError",
    "FacePose",
    "FaceResult",
    "FacesResult",
    "FrameResult",
    "NamedKeys",
    "PartShape",
    "StaticModel",
    "StaticPart",
    "TextureMode",
    "TextureOrder",
    "VideoResult",
    "VideoTrack",
    "WholeHead",
    "decode",
    "decode_faces",
    "decode_frame",
    "decode_model",
    "decode_texture",
    "decode_texture_order",
    "decode_video",
    "encode",
    "encode_faces",
    "encode_frame",
    "encode_model",
    "encode_texture",
    "encode_texture_order",
    "encode_video",
    "kind_of",
    "numbered",
    "result_names",
    "same_name",
    "usable_name",
]
