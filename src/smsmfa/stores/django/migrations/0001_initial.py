"""Create the table."""

from typing import Any, ClassVar

from django.db import migrations, models

import smsmfa.stores.django.models


class Migration(migrations.Migration):
    """Creates the table."""

    initial: ClassVar[bool | None] = True
    operations: ClassVar[Any] = [
        migrations.CreateModel(
            name="Record",
            fields=[
                ("key", smsmfa.stores.django.models.KeyField(max_length=250, primary_key=True, serialize=False)),
                ("value", models.BinaryField(null=True)),
                ("expires", models.BigIntegerField(null=True)),
            ],
            options={
                "verbose_name": "record",
                "indexes": [models.Index(fields=["expires"], name="smsmfa_expires")],
            },
        ),
    ]
