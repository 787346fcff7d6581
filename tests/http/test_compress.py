import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.compress import GzipCompressor, gzip_bytes


@given(st.lists(st.tuples(st.sampled_from(["compress", "flush"]), st.binary(max_size=100))), st.binary())
def test_a_stream_is_one_gzip_member(writes, last):
    compressor = GzipCompressor()
    reader = zlib.decompressobj(31)
    written = read = b""
    for method, data in writes:
        written += data
        read += reader.decompress(getattr(compressor, method)(data))
        if method == "flush":
            assert read == written
    read += reader.decompress(compressor.finish(last))
    assert read == written + last
    assert reader.eof
    assert not reader.unused_data


def test_whole():
    data = b"eyewall " * 1000
    assert gzip.decompress(gzip_bytes(data)) == data
    assert len(gzip_bytes(data, 9)) < 100


def test_the_same_every_time():
    assert GzipCompressor().finish(b"x") == GzipCompressor().finish(b"x")
    assert gzip_bytes(b"x")[4:8] == bytes(4)
