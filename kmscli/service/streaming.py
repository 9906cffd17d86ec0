"""One plaintext or ciphertext that a program has in its hands: encrypted and decrypted as files are, without files.

The works of `sealing` and `opening` do it. What has its data key from a cache asks for none.
"""

from typing import NoReturn

from kmscli import errors
from kmscli.envelope import encrypting
from kmscli.formats import armor
from kmscli.service import batch, opening, sealing
from kmscli.service.caching import CachingMaterials, Holder, Materials, Opened, purpose_of, purpose_of_opened
from kmscli.service.context import Context
from kmscli.service.files import Job, Result, Work
from kmscli.storage.lent import LentInput, LentOutput, Readable, Writable

_JOB = Job(None, None)


def encrypt(context: Context, source: Readable, sink: Writable, plan: sealing.Plan) -> Result:
    """Encrypt what `source` gives, into `sink`.

    Raises:
        KmsError: As of `kms encrypt`; `sink` may then hold a part of a message, which nobody takes for a whole.
    """
    return _finish(context, sealing.sealer(context, plan)(_JOB, LentInput(source)), sink)


def decrypt(context: Context, source: Readable, sink: Writable, plan: opening.Plan) -> Result:
    """Decrypt what `source` gives, into `sink`, which gets nothing that was not verified.

    Raises:
        KmsError: As of `kms decrypt`. What `sink` has got by then is a true beginning of the plaintext and no more.
    """
    return _finish(context, opening.opener(plan)(_JOB, LentInput(source)), sink)


def decrypt_with(
    context: Context, source: Readable, sink: Writable, plan: opening.Plan, cache: CachingMaterials
) -> Result:
    """Decrypt what `source` gives with a data key that may have been opened before; errors as `decrypt`.

    What it was opened for is the same, so what a Decrypt would check holds, but for what was changed since: the state
    of the key and who may use it. The message is verified as always. A blob, and a message of a suite that does not
    commit to its data key, are opened anew each time.
    """
    work = opening.opener(plan)(_JOB, LentInput(source))
    if isinstance(work, opening.Message) and work.header.suite.commits:
        kept = cache.take_opened(
            purpose_of_opened(_holder(context), work.header, plan.key), lambda: _open(context, work)
        )
        work.unwrapping.give(kept.data_key, kept.key_id)
    return _finish(context, work, sink)


def _open(context: Context, work: opening.Message) -> Opened:
    _ask_all(context, work)
    key = work.unwrapping.data_key
    if key is None:
        raise errors.InternalError(what="nothing was asked for, and there is no data key")
    return Opened(key, work.unwrapping.key_id)


def _holder(context: Context) -> Holder:
    return context.session.opened.vault_id, context.session.principal


def _finish(context: Context, work: Work, sink: Writable) -> Result:
    _ask_all(context, work)
    return work.write(LentOutput(sink), None)


def _ask_all(context: Context, work: "Work | sealing.Wrapping") -> None:
    while asked := work.ask():
        work.take(batch.perform_together(context, asked))


def encrypt_with(
    context: Context, source: Readable, sink: Writable, plan: sealing.Plan, cache: CachingMaterials, *, size: int
) -> Result:
    """Encrypt into a message whose data key may be that of others; errors as `encrypt`.

    Args:
        context: Who acts.
        source: The plaintext.
        sink: Where the message goes.
        plan: How; not signed, since the key pair of a signature belongs to one message.
        cache: Keeps the data keys.
        size: Bytes of plaintext.

    Raises:
        ValidationError: The plaintext is longer than `size`; then `sink` holds a part of a message.
    """
    wanted = purpose_of(_holder(context), plan.keys, plan.encryption_context)

    def make() -> Materials:
        wrapping = sealing.Wrapping(plan.keys, _draft(context, plan, None), more=plan.more)
        _ask_all(context, wrapping)
        return Materials(wrapping.draft.data_key, wrapping.data_keys)

    materials = cache.take(wanted, size, make)
    bounded = _Bounded(source, size)
    output = LentOutput(sink)
    text = armor.Writer(output) if plan.armored else None
    draft = _draft(context, plan, materials.data_key)
    written = encrypting.encrypt(LentInput(bounded), text or output, draft, data_keys=materials.data_keys)
    if text is not None:
        text.finish()
    keys = [key.provider_info.decode() for key in materials.data_keys]
    return Result(input=_JOB.name, status="done", format="message", key_ids=keys, size=written.plaintext)


def _draft(context: Context, plan: sealing.Plan, data_key: bytes | None) -> encrypting.Draft:
    # The message id is drawn for this message; keys and nonces follow from it.
    return encrypting.prepare(plan.encryption_context, rng=context.rng, data_key=data_key)


class _Bounded:
    """A source that gives no more than it was said to: the bytes of a data key are counted before they are read."""

    def __init__(self, file: Readable, size: int) -> None:
        self._file = file
        self._size = size
        self._left = size

    def read(self, size: int, /) -> bytes:
        part = self._file.read(size)
        self._left -= len(part)
        if self._left < 0:
            self._refuse()
        return part

    def _refuse(self) -> NoReturn:
        raise errors.ValidationError(problem=f"the plaintext is longer than the {self._size} bytes that were announced")
