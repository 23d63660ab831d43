"""Upper bounds on everything read from outside, in one place."""

from airstore.core.frozen import frozen

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@frozen
class Limits:
    """Bounds in bytes unless a comment says otherwise."""

    manifest: int = 4 * MIB  # OCI manifest or index; registries refuse larger ones
    json_document: int = 64 * MIB  # release.json, receipt
    media_index: int = 4 * MIB  # parsed before anybody signed it; lists 10,000 files, of 1 GiB each
    envelope: int = 16 * MIB  # a signed envelope, parsed before its signatures can be checked
    signatures: int = 64  # count, in one envelope
    trust_root: int = 256 * KIB  # one trust root on media, read before anything on them can be trusted
    trust_roots: int = 1000  # count, on one media
    key_file: int = 64 * KIB  # a private key or an SSH signature
    json_depth: int = 64  # nested arrays and objects
    yaml_document: int = 16 * MIB  # product file, site file, values, one rendered chart
    yaml_depth: int = 100  # nested lists and mappings; the deepest CRDs in the field have about 50
    yaml_nodes: int = 1_000_000  # count, aliases expanded
    index_depth: int = 4  # indexes within indexes, referrers of referrers
    image_documents: int = 1000  # count; manifests, indexes and referrers of one image
    tar_members: int = 100_000  # count; members of an OCI layout or docker archive
    tar_header: int = 1 * MIB  # one extended header of such an archive
    chart_archive: int = 100 * MIB  # plain bytes of a chart, as Helm bounds it
    chart_file: int = 100 * MIB  # one file of a chart; Helm 3 refuses more than 5 MiB, Helm 4 does not
    chart_files: int = 20_000  # count
    chart_schema: int = 5 * MIB  # a values schema with all that it refers to; Helm 3 reads no larger file
    schema_document: int = 4 * MIB  # one schema that charts refer to by URL
    schema_documents: int = 64  # count; those of one release
    object_size: int = 4 * MIB  # one object's plain bytes
    frame_size: int = 8 * MIB  # one frame's plain bytes
    recipe: int = 256 * MIB  # one recipe's plain bytes
    layer_plain: int = 64 * GIB  # a layer after decompression
    git_pack: int = 4 * GIB  # the history bundle on media
    git_header: int = 4 * MIB  # the list of refs at the start of that bundle
    history_files: int = 200_000  # count; files and directories of one release's tree
    history_tree: int = 16 * MIB  # one directory of it, as git lists it
    history_commit: int = 1 * MIB  # one commit or tag
    history_file: int = 64 * MIB  # one file of a release's tree
    history_content: int = 512 * MIB  # all files of one release's tree
    history_patch: int = 4 * MIB  # a patch shown to people; both sides of one file in it
    sequence_jump: int = 1_000_000  # count; larger steps are refused as fast-forward


LIMITS = Limits()
