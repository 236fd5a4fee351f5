"""The table, for Django to migrate and to show; the store speaks SQL to it."""

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
    """A key, compared as bytes: the collations of MySQL and MariaDB would take some keys for equal."""

    def db_type(self, connection: Any) -> str:
        """Return the type of the column; a BLOB of MySQL's can be no key."""
        if connection.vendor == "mysql":
            return f"varbinary({self.max_length})"
        return str(super().db_type(connection))


class Record(models.Model):
    """What is stored under a key. To read or write one goes past the store, its locks and its commits."""

    key: KeyField = KeyField(primary_key=True, max_length=250)
    #: NULL only within an update, in a row that is there to be locked.
    value: BinaryField = BinaryField(null=True)
    #: Seconds since the epoch, by the clock of the database; NULL: never.
    expires: BigIntegerField = BigIntegerField(null=True)

    class Meta:
        """The index that a purge goes by, and the name that people see."""

        indexes: list[models.Index] = [models.Index(fields=["expires"], name="smsmfa_expires")]
        verbose_name = "record"

    def __str__(self) -> str:
        return f"record of a {self.kind}"

    @property
    def kind(self) -> str:
        """What the record is about. The rest of its key is a hash that whoever knows all numbers can tell one from."""
        return _KINDS.get(bytes(self.key)[:1].decode("latin-1"), "key that is encrypted")
