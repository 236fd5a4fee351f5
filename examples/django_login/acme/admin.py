"""The admin site: it is behind the second step, with nothing to say here."""

from django.contrib import admin

from .models import User


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    """Lists users."""

    list_display = ("email", "is_staff")
    fields = ("email", "is_staff", "is_active")
