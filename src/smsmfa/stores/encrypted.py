"""Encrypt what any store keeps: ``pip install "smsmfa[encryption]"``."""

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
    """Keeps records in another store, where whoever reads them learns neither users nor numbers nor what is enrolled.

    Values are encrypted (XAES-256-GCM) and bound to their keys, so that they cannot be swapped between rows; keys are
    replaced by a keyed hash (HMAC-SHA-256). All the rest is the wrapped store's, and stays to be done with it: its
    schema, its purge, its health check, its end. What a dump still shows is in :doc:`/stores/encrypted`.

    Args:
        store: the one that keeps them, and that nothing else writes to.
        keys: at least 32 bytes, as ``str`` or ``bytes``, or several, newest first, to rotate: the first encrypts, all
            of them decrypt.
        name_key: another such key, for the hashes. It stays the same as long as the store: under another every user
            and every limit would seem new, so that is a StoreError.

    Raises:
        ConfigurationError: an argument is none of these, or the store is one for asyncio.
    """

    def __init__(self, store: Store, keys: Secret | Iterable[Secret], *, name_key: Secret) -> None:
        hidden, hidden_name_key = Opaque(keys), Opaque(name_key)
        del keys, name_key  # what a traceback with locals shows of this frame must not be the keys
        self._store = store
        check_methods(store, "store", ("read", "update"), asynchronous=iscoroutinefunction(self.read))
        self._sealer = Sealer(hidden, hidden_name_key)
        self._prepared = False

    def prepare(self) -> None:
        """Say in the wrapped store, while it is empty, that it is encrypted, and under which keys.

        Call it once before the first use; again it only checks. Records that were written in clear are not found any
        more: their users would be as if they had never enrolled.

        Raises:
            StoreError: it is encrypted under other keys; or the wrapped store failed.
        """
        self._store.update([MARK], self._sealer.mark)
        self._prepared = True

    def read(self, key: str) -> bytes | None:
        """Return what is stored under ``key``, or ``None``.

        Raises:
            StoreError: the value cannot be decrypted, or the store was not prepared; or the wrapped store failed.
        """
        self._check()
        name = self._sealer.name(key)
        sealed = self._store.read(name)
        return None if sealed is None else self._sealer.unseal(name, sealed)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys``, store what it says, return its outcome.

        Raises:
            ValueError: ``change`` wrote outside ``keys``, or what is no entry; nothing is changed.
            StoreError: a value cannot be decrypted, or the store was not prepared; or the wrapped store failed.
        """
        self._check()
        names, sealed_change = self._sealer.sealing(keys, change)
        return self._store.update(names, sealed_change)

    def renew(self, name: str) -> None:
        """Encrypt a value anew, under the newest key, if it is under an older one; what is absent stays absent.

        Args:
            name: what its key is called in the wrapped store. The value is kept for ever from then on, so leave those
                alone that expire.

        Raises:
            StoreError: the value cannot be decrypted; or the wrapped store failed.
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
        del keys, name_key  # what a traceback with locals shows of this frame must not be the keys
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
