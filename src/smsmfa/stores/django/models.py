"""The table, for migrations and the admin site. The store itself uses SQL."""

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:  # Django's own classes take no type arguments
    BinaryField = models.BinaryField[Any, Any]
    BigIntegerField = models.BigIntegerField[Any, Any]
else:
    from django.db.models import BigIntegerField, BinaryField

__all__ = ["KeyField", "Record"]

_KINDS = {"u": "user", "n": "number", "t": "total", "l": "limiter"}


class KeyField(BinaryField):
    """A key, compared as bytes: the collations of MySQL and MariaDB make some different keys equal."""

    def db_type(self, connection: Any) -> str:
        """Return the type of the column. A BLOB cannot be a primary key in MySQL."""
        if connection.vendor == "mysql":
            return f"varbinary({self.max_length})"
        return str(super().db_type(connection))


class Record(models.Model):
    """What is stored under a key. Do not read or write it as a model: that bypasses the store's locks."""

    key: KeyField = KeyField(primary_key=True, max_length=250)
    #: NULL only during an update, in a row that was created to be locked.
    value: BinaryField = BinaryField(null=True)
    #: Seconds since the epoch, by the database's clock; NULL means never.
    expires: BigIntegerField = BigIntegerField(null=True)

    class Meta:
        """The index for purges, and the name that people see."""

        indexes: list[models.Index] = [models.Index(fields=["expires"], name="smsmfa_expires")]
        verbose_name = "record"

    def __str__(self) -> str:
        return f"record of a {self.kind}"

    @property
    def kind(self) -> str:
        """What the record is about. The rest of the key is not shown: a hash of a phone number can be guessed."""
        return _KINDS.get(bytes(self.key)[:1].decode("latin-1"), "key that is encrypted")
