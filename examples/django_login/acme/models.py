"""A user model of the project's own: people log in with an email address, and the key is a UUID."""

import uuid

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models


class People(UserManager):
    """Makes users."""

    def create_user(self, email, password=None, **more):
        user = self.model(email=self.normalize_email(email), **more)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email, password=None, **more):
        return self.create_user(email, password, is_staff=True, is_superuser=True, **more)


class User(AbstractUser):
    """Somebody with a password."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    username = None
    email = models.EmailField(unique=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []
    objects = People()
