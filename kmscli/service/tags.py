"""TagResource, UntagResource, ListResourceTags."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated

from msgspec import Meta

from kmscli import errors
from kmscli.model import limits
from kmscli.service import pages
from kmscli.service.context import Call, Change
from kmscli.service.shapes import KeyId, Marker, Request, Response, Tag, TagKey, TagsLimit

Pairs = tuple[tuple[str, str], ...]
_RESERVED = "aws:"


class TagResourceRequest(Request, frozen=True, kw_only=True):
    """Members of TagResource."""

    key_id: KeyId
    tags: Annotated[list[Tag], Meta(description="TagKey=K,TagValue=V, ...")]


class TagResourceResponse(Response, frozen=True, kw_only=True):
    """Nothing."""


def tag_resource(change: Change, request: TagResourceRequest) -> TagResourceResponse:
    """Give a key tags; one that it has already gets the new value.

    Raises:
        KmsError: TagException, KMSInvalidStateException.
    """
    key = change.editable(request.key_id)
    change.check_state(key)
    change.update(key, tags=merged(key.record.tags, request.tags, most=change.context.limits.tags))
    return TagResourceResponse()


def merged(old: Pairs, new: Sequence[Tag], *, most: int) -> Pairs:
    """The tags of a key after it was given some.

    Raises:
        TagError: A name twice, a reserved one, or more tags than a key may have.
    """
    _refuse_reserved(tag.tag_key for tag in new)
    counts = Counter(tag.tag_key for tag in new)
    if twice := next((name for name, times in counts.items() if times > 1), None):
        raise errors.TagError(problem=f"Duplicate tag keys: {twice}")
    found = dict(old) | {tag.tag_key: tag.tag_value for tag in new}
    if len(found) > most:
        raise errors.TagError(problem="Too many tags", hint=f"a key has at most {most}")
    return tuple(sorted(found.items()))


def _refuse_reserved(names: Iterable[str]) -> None:
    if reserved := next((name for name in names if name.lower().startswith(_RESERVED)), None):
        raise errors.TagError(problem=f"{reserved}: tag keys that start with {_RESERVED} are reserved")


class UntagResourceRequest(Request, frozen=True, kw_only=True):
    """Members of UntagResource."""

    key_id: KeyId
    tag_keys: Annotated[list[TagKey], Meta(description="Names of the tags to take away.")]


class UntagResourceResponse(Response, frozen=True, kw_only=True):
    """Nothing."""


def untag_resource(change: Change, request: UntagResourceRequest) -> UntagResourceResponse:
    """Take tags from a key; of one that it does not have, nothing is said.

    Raises:
        KmsError: TagException, KMSInvalidStateException.
    """
    key = change.editable(request.key_id)
    change.check_state(key)
    _refuse_reserved(request.tag_keys)
    change.update(key, tags=tuple(tag for tag in key.record.tags if tag[0] not in request.tag_keys))
    return UntagResourceResponse()


class ListResourceTagsRequest(Request, frozen=True, kw_only=True):
    """Members of ListResourceTags."""

    key_id: KeyId
    limit: TagsLimit | None = None
    marker: Marker | None = None


class ListResourceTagsResponse(Response, frozen=True, kw_only=True):
    """One page of tags."""

    tags: list[Tag]
    next_marker: str | None = None
    truncated: bool


def list_resource_tags(call: Call, request: ListResourceTagsRequest) -> ListResourceTagsResponse:
    """A page of the tags of a key, in the order of their names.

    Raises:
        InvalidMarkerError: The marker is not one of ours.
    """
    key = call.find(request.key_id)
    start = pages.name_after("ListResourceTags", request.marker)
    left = (Tag(tag_key=name, tag_value=value) for name, value in key.record.tags if name > start)
    page = pages.page("ListResourceTags", left, request.limit or limits.TAGS_PAGE, lambda tag: tag.tag_key)
    return ListResourceTagsResponse(
        tags=page.items, next_marker=page.next_marker, truncated=page.next_marker is not None
    )
