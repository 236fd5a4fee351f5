"""Encrypt the records of any store. Needs the extra ``encryption``."""

from collections.abc import Iterable, Sequence
from functools import partial
from inspect import iscoroutinefunction
from typing import NoReturn, TypeVar

from ..codes import Secret
from ..core.arguments import check_methods
from ..core.opaque import Opaque
from ..typing import AsyncStore, Change, Store
from .sealing import MARK, Sealer

__all__ = ["AsyncEncryptedStore", "EncryptedStore"]

T = TypeVar("T")


class EncryptedStore:
    """Encrypts records and keeps them in another store. Its rows show neither users, numbers nor enrolments.

    Values are encrypted (AES-256-GCM-SIV, RFC 8452) and bound to their keys, so they cannot be swapped between rows.
    Keys are replaced by a keyed hash (HMAC-SHA-256). Use the wrapped store itself to create its schema, purge, ping
    and close it. :doc:`/how-to/stores/encrypted` lists what a database dump still shows.

    Args:
        store: the store that keeps the records. Nothing else may write to it.
        keys: a key of at least 32 bytes, as ``str`` or ``bytes``, or several keys, newest first. The first encrypts,
            all of them decrypt.
        name_key: another such key, for the hashes. It never changes during the life of the store: under another one
            every user and every limit would seem new, so a change raises :class:`~smsmfa.StoreError`.

    Raises:
        ConfigurationError: an argument is invalid, the store is for asyncio, or the OpenSSL that ``cryptography``
            uses has no AES-GCM-SIV.
    """

    def __init__(self, store: Store, keys: Secret | Iterable[Secret], *, name_key: Secret) -> None:
        hidden, hidden_name_key = Opaque(keys), Opaque(name_key)
        del keys, name_key  # a traceback may show the locals of this frame
        self._store = store
        check_methods(store, "store", ("read", "update"), asynchronous=iscoroutinefunction(self.read))
        self._sealer = Sealer(hidden, hidden_name_key)
        self._prepared = False

    def prepare(self) -> None:
        """Mark the wrapped store, while it is empty, as encrypted under these keys.

        Call it once before the first use; later calls only check the mark. Records that were written in clear are no
        longer found: their users would seem never to have enrolled.

        Raises:
            StoreError: the store is encrypted under other keys, or the wrapped store failed.
        """
        self._store.update([MARK], self._sealer.mark)
        self._prepared = True

    def read(self, key: str) -> bytes | None:
        """Return the value of ``key``, or ``None`` if there is none.

        Raises:
            StoreError: the value cannot be decrypted, the store was not prepared, or the wrapped store failed.
        """
        self._check()
        name = self._sealer.name(key)
        sealed = self._store.read(name)
        return None if sealed is None else self._sealer.unseal(name, sealed)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys``, store its writes, and return its outcome.

        Raises:
            ValueError: ``change`` wrote a key outside ``keys``, or an invalid entry. Nothing is stored.
            StoreError: a value cannot be decrypted, the store was not prepared, or the wrapped store failed.
        """
        self._check()
        names, sealed_change = self._sealer.sealing(keys, change)
        return self._store.update(names, sealed_change)

    def renew(self, name: str) -> None:
        """Encrypt a value again, under the newest key, if it is under an older one. An absent value stays absent.

        Args:
            name: the name of the row in the wrapped store. The renewed value is kept forever, so do not renew values
                that expire.

        Raises:
            StoreError: the value cannot be decrypted, or the wrapped store failed.
        """
        self._store.update([name], partial(self._sealer.renew, name))

    def _check(self) -> None:
        if not self._prepared:
            self._sealer.check_mark(self._store.read(MARK))
            self._prepared = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self._store!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an encrypted store holds keys and cannot be pickled or copied")


class AsyncEncryptedStore:
    """:class:`EncryptedStore` for asyncio, over a store for asyncio."""

    def __init__(self, store: AsyncStore, keys: Secret | Iterable[Secret], *, name_key: Secret) -> None:
        hidden, hidden_name_key = Opaque(keys), Opaque(name_key)
        del keys, name_key  # a traceback may show the locals of this frame
        self._store = store
        check_methods(store, "store", ("read", "update"), asynchronous=iscoroutinefunction(self.read))
        self._sealer = Sealer(hidden, hidden_name_key)
        self._prepared = False

    async def prepare(self) -> None:
        """Like :meth:`EncryptedStore.prepare`."""
        await self._store.update([MARK], self._sealer.mark)
        self._prepared = True

    async def read(self, key: str) -> bytes | None:
        """Like :meth:`EncryptedStore.read`."""
        await self._check()
        name = self._sealer.name(key)
        sealed = await self._store.read(name)
        return None if sealed is None else self._sealer.unseal(name, sealed)

    async def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Like :meth:`EncryptedStore.update`."""
        await self._check()
        names, sealed_change = self._sealer.sealing(keys, change)
        return await self._store.update(names, sealed_change)

    async def renew(self, name: str) -> None:
        """Like :meth:`EncryptedStore.renew`."""
        await self._store.update([name], partial(self._sealer.renew, name))

    async def _check(self) -> None:
        if not self._prepared:
            self._sealer.check_mark(await self._store.read(MARK))
            self._prepared = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self._store!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an encrypted store holds keys and cannot be pickled or copied")
