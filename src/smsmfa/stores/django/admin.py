"""A page of the admin site that lists the kind, size and lifetime of records, and never their keys or values."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Length

from .models import Record

if TYPE_CHECKING:  # Django's own class takes no type arguments
    ModelAdmin = admin.ModelAdmin[Record]
else:
    from django.contrib.admin import ModelAdmin

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@admin.register(Record)
class RecordAdmin(ModelAdmin):
    """A list without links, keys and values. Nothing can be added, opened, changed or deleted."""

    list_display: Any = ("kind", "size", "kept_until")
    list_display_links: Any = None
    ordering: ClassVar[Any] = ("expires",)
    show_full_result_count = False
    actions: Any = None

    def get_queryset(self, request: Any) -> QuerySet[Record]:
        """Return records without their values."""
        records: QuerySet[Record] = super().get_queryset(request).annotate(size=Length("value")).defer("value")
        return records

    @admin.display(ordering="key")
    def kind(self, record: Record) -> str:
        """Return what a record is about."""
        return record.kind

    @admin.display(description="bytes", ordering="size")
    def size(self, record: Any) -> int:
        """Return the size of a value in bytes."""
        return int(record.size)

    @admin.display(ordering="expires", empty_value="forever")
    def kept_until(self, record: Record) -> datetime | None:
        """Return when a record may be purged."""
        return None if record.expires is None else _EPOCH + timedelta(seconds=record.expires)

    def has_view_permission(self, request: Any, obj: Record | None = None) -> bool:
        """Whether the user may see the list. Records cannot be opened."""
        return obj is None and bool(super().has_view_permission(request))

    def has_add_permission(self, request: Any) -> bool:
        """Nobody adds records by hand."""
        return False

    def has_change_permission(self, request: Any, obj: Record | None = None) -> bool:
        """Nobody changes records by hand."""
        return False

    def has_delete_permission(self, request: Any, obj: Record | None = None) -> bool:
        """Nobody deletes records by hand: without its record a rate limit starts afresh."""
        return False
