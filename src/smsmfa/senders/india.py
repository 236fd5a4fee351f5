"""The registration of texts in India: carriers there deliver only texts whose template and sender are registered.

Source: https://docs.aws.amazon.com/sms-voice/latest/userguide/registrations-sms-senderid-india.html
"""

import re
from collections.abc import Mapping
from typing import TypeAlias

import attrs

from ..exceptions import ConfigurationError, SenderMisconfigured
from ..texts.languages import is_tag
from ..typing import ENROLLMENT, VERIFICATION, Message

#: An id for each purpose, or for each purpose and language.
TemplateIds: TypeAlias = Mapping[str, str | Mapping[str, str]]
#: What AWS accepts as an id. The registries give numbers of 19 digits.
_ID = re.compile(r"[!-~]{1,64}")
_COUNTRY = "IN"


@attrs.frozen
class India:
    """The ids of an operator.

    Args:
        entity_id: the id of the company (Principal Entity).
        template_ids: the ids of the texts.
    """

    entity_id: str
    template_ids: TemplateIds

    def ids(self, message: Message) -> tuple[str, str] | None:
        """Return the entity id and the template id for a message, or ``None`` if it does not go to India.

        Raises:
            SenderMisconfigured: there is no id for its text.
        """
        if message.to.region != _COUNTRY:
            return None
        general = self.template_ids.get(VERIFICATION) if message.purpose != ENROLLMENT else None
        known = self.template_ids.get(message.purpose, general)
        found = known if isinstance(known, str | None) else known.get(message.language or "")
        if found is None:
            where = f"[{message.language!r}]" if message.language else ""
            raise SenderMisconfigured(f"template_ids[{message.purpose!r}]{where}: this text has no id for India")
        return self.entity_id, found


def checked_india(entity_id: object, template_ids: object) -> India | None:
    """Return the ids of an operator, or ``None`` if there are none.

    Raises:
        ConfigurationError: an id is missing or malformed.
    """
    if entity_id is None and template_ids is None:
        return None
    if not _is_id(entity_id):
        raise ConfigurationError("entity_id: the id of your company in India's registry; template_ids need it")
    forms = "template_ids: a mapping of purposes to ids, or to mappings of language tags to ids; entity_id needs it"
    if not isinstance(template_ids, Mapping) or not template_ids:
        raise ConfigurationError(forms)
    for purpose, known in template_ids.items():
        by_language = known if isinstance(known, Mapping) else {"en": known}
        right = all(is_tag(tag) and _is_id(one) for tag, one in by_language.items())
        if not isinstance(purpose, str) or not by_language or not right:
            raise ConfigurationError(forms)
    return India(str(entity_id), template_ids)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None
